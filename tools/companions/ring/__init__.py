"""A byte ring in shared memory between two processes, held against a pipe and a socket pair."""
