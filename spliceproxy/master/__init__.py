"""The master process: opens listeners, forks and watches workers, follows signals, reloads.

Reading order: `supervisor`, `master`; `generation` with `workers` and `child`; `loading`, `reload`
and `reloads`; `places` and `listening` for the sockets; `admin_keeper`, `hang_watch` and `report`
beside it. It is synchronous and has no threads; what its children run is `worker_process`.
"""
