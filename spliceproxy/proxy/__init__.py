"""Connections from accept to close, the worker that serves them, the master that forks workers."""
