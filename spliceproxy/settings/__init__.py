"""What the user asked for: text in, immutable and checked values out.

Reading order: `proxy`, the model of it all, and `single_route`, the shorter way there; `fields`,
`shapes` and `model`, of which the parts are made; `units`, `bounds`, `address` and
`listen_address` for the syntax. Opens nothing, resolves no name. Tested by tests/settings, and
through files by tests/routes_file.
"""
