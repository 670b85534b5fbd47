"""How protocols ask for TLS on a connection that has begun without it.

Each protocol has two sides: the server's, played for clients whose TLS ends here, and the client's,
played for backends that are spoken to by TLS. Nothing here reads or writes: what has come is given
to a negotiation, which says what to answer.

Reading order: `negotiation`, `postgres`; `command_lines`, `smtp`, `imap`; `protocols`, their table.
Tested by tests/formats/starttls.
"""
