"""Which backend a connection is tried on first, and which ones after it."""
