"""A worker: clients from accept to close, and what routes need for them.

Reading order: `session`, the story of one connection; `reception` with `preamble` before it, on
routes that decide about their clients; `listener`, `frontend`, `route`, `worker` around it.
"""
