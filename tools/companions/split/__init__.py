"""One stream to many places at once: what a mirror of the proxy does, alone."""
