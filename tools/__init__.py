"""Companion servers, benchmarks and development scripts."""
