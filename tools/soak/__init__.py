"""A soak: minutes of mixed load and trouble for spliceproxy, and books that have to balance."""
