"""Routes files: YAML in, settings out, or every mistake of the file with its position."""
