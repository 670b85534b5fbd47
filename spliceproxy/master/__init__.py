"""The master process: opens listeners, forks and watches workers, follows signals, reloads.

Reading order:

1. `supervisor`, from settings to a master; `master`, its loop; `signals` and `polling` for that.
2. `generation` (a configuration in effect) and `generations`, with `hurry` for when they are too
   many; `workers` and `child` (forked, watched, replaced); `worker_process`, what a worker runs.
3. `loader` (a process that looks up a configuration), `reload` (a state machine), `difference`.
4. `listen_targets` (what is to be listened on) and `open_listeners` (what is).
5. `privileges` with `sandbox`: whom processes run as, and which files are left to them.
6. Beside it: `admin_process_keeper` with `admin_doors` and `describe`; `hang_watch` with
   `stack_file`; `service_report`; `orphans`, for a master that is PID 1.

It is synchronous and has no threads. Tested by tests/master; as a command by tests/e2e
(test_workers, test_signals, test_reload, test_hung_workers, test_service, test_inherited,
test_pid_one).
"""
