"""What the processes say to one another, and what they share."""
