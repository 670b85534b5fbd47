"""Which backend a connection is tried on first, and which ones after it.

Reading order: `state`, `pool`, `names`; then one file for each policy. Tested by
tests/policy/balance.
"""
