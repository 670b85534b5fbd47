"""What this kernel, this machine and this user can do for the proxy.

Reading order: `examine` and `finding`; `trials` with `channels`, `transfers` and `calls`, which try
system calls through `spliceproxy.kernel`; then one file for each other subject. Checks read the
kernel's files through `Machine`, return findings, print nothing and leave nothing behind. Tested by
tests/doctor.
"""
