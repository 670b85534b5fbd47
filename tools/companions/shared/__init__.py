"""What the companion programs share: options, sockets, signals, and the two steps of a splice."""
