"""Foreign programs that speak TLS with the proxy."""
