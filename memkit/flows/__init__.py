"""What the verbs do: generators that validate, encode, yield commands and decode; they wait for nothing."""
