"""`spliceproxy top`: what a running proxy is doing, again and again."""
