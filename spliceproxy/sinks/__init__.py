"""The places where copies of the traffic go: one small interface, one file per kind."""
