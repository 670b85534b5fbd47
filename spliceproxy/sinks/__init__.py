"""Where copies of the traffic go: one small interface, one file per kind."""
