"""`spliceproxy top`: what a running proxy is doing, again and again.

Reading order: `look`, `views`, `summary`; then `plain` for text, `poller` and `screen` for a
terminal. Tested by tests/cli/top.
"""
