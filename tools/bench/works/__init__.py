"""The works: each puts one kind of load on a running proxy and takes its figures."""
