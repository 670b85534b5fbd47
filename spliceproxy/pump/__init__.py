"""The relay core: two sockets, a flow of bytes each way, and how they end together.

Reading order: `flow` (one direction, and its states), `splice_flow` and `copy_flow` (the two ways
to move bytes), `endpoint` (one socket, and what it is watched for), `link` (both, with
`ending`), `parting` (how the sockets are closed then). The room registers and unregisters
sockets; opening them is the session's business. It does not know who copies, slows down, names or
counts what it moves: those give it flows and endpoints of their own, and ask the link how it ended.
Tested by tests/pump, and as part of the whole by tests/proxy.
"""
