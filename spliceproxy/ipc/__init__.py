"""What the processes say to one another, and what they share; docs/design.md has a table of it.

Reading order:

1. `control`: master and worker.
2. `master_line` with `description`: master and admin process. `packets` with `attachment`: admin
   process and worker.
3. What they share without a message: `shared_table` (rows of numbers) in `table_memory`, `rows`
   (which there are, and the one way to name them), `row_lifetime` (for how long), `worker_slots`
   (whose they are); `health_cells` and `mirror_orders` (what the numbers in rows of all workers
   mean).
4. What workers have of a limit together: `shared_count`, `shared_meter`; of limits for each client
   `shared_clients`, with `client_cells` in `client_areas`.

It knows what is said and not what follows from it. Tested by tests/ipc; both ends together by
tests/admin, tests/proxy/test_admin_answers.py and tests/e2e.
"""
