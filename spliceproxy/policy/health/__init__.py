"""Which backends are fit for use, from checks and from what connections meet.

Reading order: `health`, the verdict; `checks` and `ejection`, the evidence. Tested by
tests/policy/health.
"""
