"""A worker: clients from accept to close, and what routes need for them.

Reading order:

1. `session`, the story of one connection; `client`, whose it is.
2. Before it, on routes that decide about their clients: `reception`, with `received_client` (the
   place that a client takes), `preamble` and `preamble_steps` (what it sends first), `refusals`.
3. Around it: `listener`, `frontend` (a route's listeners and sessions), `route`, `worker`;
   `route_limits` with `limited_listener` (what all workers together may have).
4. What it is copied to: `worker_mirrors`, `session_mirrors`, `attachments`.
5. Who watches: `health_watch` (backends that go down), `session_counters`, `publisher` and
   `row_keeper` (the shared table), `admin_answers` (the admin process).
6. Before the first connection: `prepared`, `capacity`, `route_opener`.

Tested by tests/proxy; its mirrors by tests/mirroring; many workers by tests/e2e.
"""
