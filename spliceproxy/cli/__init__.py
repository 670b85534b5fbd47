"""The command line: arguments and environment in, an exit status and at most one line out.

Reading order: `main`; `options` with `readers`, then `configure`, which makes settings of them; one
file for each subcommand. The only room that prints for people and that ends the process. Tested by
tests/cli, and as a program by tests/e2e.
"""
