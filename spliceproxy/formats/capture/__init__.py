"""The format of capture segments, without any input or output; `docs/capture-format.md` has it.

==========  =====================================================================
`layout`    what a segment is made of: sizes, numbers, names
`encode`    to bytes
`decode`    from bytes that nobody vouches for
`index`     which connections a sealed segment has, and where
==========  =====================================================================
"""
