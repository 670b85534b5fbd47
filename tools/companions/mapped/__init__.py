"""What a map of a file, or of memory, costs: written, synchronised, read at random and in windows.

`recording` writes records, `persistence` kills who has written, `passes` reads from end to end,
`random_access` reads here and there, `pages` looks at large pages and at giving memory back.
"""
