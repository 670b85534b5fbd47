"""Small programs for one technique each: `python -m tools.companions.NAME --help`.

`origin`, `send`, `echo`, `sink`, `split`, `pagecache` and `ring` are programs; `techniques` (ways
from a file to a socket) and `shared` (options, sockets, signals) are what they have in common.
Described in docs/companions.md.
"""
