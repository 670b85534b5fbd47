"""Ways to send a range of a file to a socket, one class each, behind one small interface.

`opening.open_sender` makes one, `sender` says what each of them promises. They are synchronous and
never wait: whoever drives them watches the socket for room.
"""
