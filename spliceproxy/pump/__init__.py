"""The data plane: one epoll set, and synchronous callbacks that move bytes.

Reading order: `reactor` (who is called when), `flow` with `splice_flow` and `copy_flow` (one
direction), `endpoint` (one socket), `link` (both), `dial` and `farewell` (how a socket begins and
ends); then, for mirrors, `chunk`, `tap` and `tapped_flow`. It registers and unregisters sockets;
opening and closing them is the session's business. It imports nothing that logs, counts for
others, or reads configuration.
"""
