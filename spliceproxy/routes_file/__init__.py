"""Routes files: YAML in, settings out, or every mistake of the file with its position.

Reading order: `load`, which calls the others in their order; `nodes`, `values`, `tree`; `defaults`;
`model`, `explain`; `clashes` and `references`. Tested by tests/routes_file.
"""
