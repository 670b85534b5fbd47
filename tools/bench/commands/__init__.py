"""The subcommands of `python -m tools.bench`, one file each."""
