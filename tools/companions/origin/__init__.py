"""A static file server, HTTP/1.1 on Trio, that sends by the technique one asks for.

Reading order: `targets`, `ranges`, `conditions` (bytes and values only), `root` (safe opening),
`site` (a request becomes an answer), `delivery` (an answer becomes bytes on a socket), `connection`
and `server` around them.
"""
