"""Beside the proxy, in three parts; nothing of it is installed with the package.

- `bench`: what the proxy and the techniques cost, against others: `python -m tools.bench`
- `companions`: servers and senders for one technique each: `python -m tools.companions.NAME`
- scripts: `run`, `test` and `check` (with `environment.sh`); `demo`, which `run` starts;
  `documentation`, which writes the pages that come from the code
"""
