"""The data plane: one epoll set, and synchronous callbacks that move bytes.

Reading order: `reactor` (who is called when), `buffer` (the pipe or memory that bytes pass
through), `flow` (one direction), `endpoint` (one socket), `link` (both), `farewell` (how a
socket ends). It registers and unregisters sockets; opening and closing them is the session's
business. It imports nothing that logs, counts for others, or reads configuration.
"""
