"""Bandwidth: an endpoint that reads no faster than it may, and what connections share.

Reading order: `paced_endpoint`, `shared_bandwidth`; how much may pass is decided by
`policy.bandwidth`; a meter tells what other workers use of it. Tested by tests/pacing.
"""
