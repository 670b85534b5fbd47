"""Where connections go: the backends' names and addresses, and connecting to them."""
