"""TLS: what it is spoken with, and connections that speak it.

Reading order: `pem_file` and `certificate_files`, which read and check; `server_contexts` and
`client_context`, which make `ssl.SSLContext` of what was read, and `route_tls`, which does so for
a route; `ticket_keys` and `key_log`; `client_rules`, which decides about
clients by their certificates. What is read travels between processes as bytes; contexts can't, and
are made in the master, so that its workers share the keys of session tickets.

Then the data plane: `tls_socket` (a socket that encrypts and decrypts, with `decryption` and
`tls_errors`), `handshake` with `handshake_turns` (what comes before the first byte), `endpoint` (of
a link that relays), `parting` (how it ends).

OpenSSL works in memory (`ssl.MemoryBIO`) and never touches the socket. On a socket of its own
Python's `SSLSocket.unwrap` reads as soon as it has said goodbye, and whatever the peer is still
sending then breaks the connection (SSL_shutdown(3): APPLICATION_DATA_AFTER_CLOSE_NOTIFY), so that
one direction could not end before the other. Where a kernel has it, kernel TLS would take the
place of `tls_socket`: the same calls on a plain socket (`OP_ENABLE_KTLS`), and splicing again.
Tested by tests/tls, and as part of the whole by tests/proxy.
"""
