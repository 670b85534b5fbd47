"""Decisions without effects: time and randomness come in as arguments, no descriptor does.

Tested by tests/policy.
"""
