"""The demo: an origin of its own, spliceproxy in front of it, and real traffic through both."""
