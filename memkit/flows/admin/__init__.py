"""What an operator does with all conversations."""
