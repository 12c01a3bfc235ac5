"""The stores behind memkit, one package each."""
