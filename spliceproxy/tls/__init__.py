"""TLS: certificates and keys from files, and the contexts that are made of them.

Reading order: `pem_file` and `certificate_files`, which read and check; `server_contexts` and
`client_context`, which make `ssl.SSLContext` of what was read; `client_rules`, which decides about
clients by their certificates. What is read travels between processes as bytes; contexts can't, and
are made in the master, so that its workers share the keys of session tickets.
"""
