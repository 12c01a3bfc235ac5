"""What message histories do, as flows."""
