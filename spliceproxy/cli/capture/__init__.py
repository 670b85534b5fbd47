"""`spliceproxy capture`: what `capture:` mirrors have written, listed, shown, converted, removed.

`command`      the group, and the exit status of each of its commands
`ls`           the segments
`connections`  the connections, one a line
`show`         what two ends have said to each other
`follow`       what they are saying
`pcapng`       packets, for Wireshark and its like
`compress`     what is sealed, and no mirror has compressed
`prune`        what is too old, or too much, goes
`reading`      a capture, and what of it could not be read
`choice`       which connections a command is about
`telling`      how events are to be written
`dialogue`     events as text that a terminal only shows
`output`       how output ends: the reader goes, a signal comes
=============  ==========================================================
=======
=================  ==========================================================
`command`          the group, and the exit status of each of its commands
`ls`               the segments
`connections`      the connections, one a line
`show`             what two ends have said to each other
`follow`           what they are saying
`pcapng`           packets, for Wireshark and its like
`compress`         what is sealed, and no mirror has compressed
`prune`            what is too old, or too much, goes
`reading`          a capture, and what of it could not be read
`choice`           which connections a command is about
`telling`          how events are to be written
`dialogue`         events as text that a terminal only shows
`framed_dialogue`  the same by messages of the protocol
`message_text`     one message as lines
`output`           how output ends: the reader goes, a signal comes
=================  ==========================================================
"""
