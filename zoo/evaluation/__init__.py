"""What writes the numbers on the cards."""
