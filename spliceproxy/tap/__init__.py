"""Copies of what flows have taken: chunks, taps, and the flows that have one."""
