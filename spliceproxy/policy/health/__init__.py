"""Which backends are fit for use, from checks and from what connections meet."""
