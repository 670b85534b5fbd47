"""The command line: settings, one-line errors and exit statuses."""
