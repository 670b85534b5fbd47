"""Bandwidth: an endpoint that reads no faster than it may, and what connections share."""
