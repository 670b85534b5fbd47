"""The load generators: how each is started, and how its output is read."""
