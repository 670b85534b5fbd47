"""Pushes a file, a range of it, or generated data to a TCP address, by any technique."""
