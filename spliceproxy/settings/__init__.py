"""What the user asked for: text in, immutable and checked values out.

Owns the syntax of addresses and units and the set of settings. Opens nothing, resolves no name.
"""
