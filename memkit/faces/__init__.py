"""What users hold: sync and async twins over a backend, without logic of their own."""
