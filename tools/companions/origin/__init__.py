"""A static file server, HTTP/1.1 on Trio, that sends by the technique one asks for.

Reading order: `targets`, `ranges`, `conditions` (bytes and values only), `root` (safe opening),
`site` (a request becomes an answer), `delivery` (an answer becomes bytes on a socket), with
`cold_reader` and `direct_files` for what the disk has, `connection` and `server` around them.
`plain_request`, `answer_cache` and `memory_lane` are the short way past all of it.
"""
