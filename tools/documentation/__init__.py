"""Writers of the pages that come from the code: `python -m tools.documentation.NAME`.

tests/docs fails when a page is stale.
"""
