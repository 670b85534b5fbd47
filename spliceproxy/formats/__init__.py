"""Formats on the wire: bytes come in, values go out, nothing is read or written here.

Tested by tests/formats.
"""
