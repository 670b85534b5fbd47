"""Captures, read: what `capture:` mirrors have written."""
