"""Framers: a stream of bytes, divided into the messages of its protocol.

=============================  ==================================================================
`frame`                        what framers yield
`wire_protocol`                what a protocol has to say of itself, and who asked for an answer
`byte_source`, `frame_stream`  bytes in pieces, and how a parser waits for more of them
`field_values`                 values of fields, within bounds
`redis`, `http1`, `postgres`,  one protocol each
`lines`, `length`, `raw`
`protocols`                    their table, with those of other packages; guesses
`first_bytes`                  the beginning of a connection, for a guess
=============================  ==================================================================

No framer reads or writes anything itself, and none raises, whatever the bytes are.
"""
