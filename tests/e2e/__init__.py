"""The installed command, end to end: real programs on both sides of it, good days and bad ones."""
