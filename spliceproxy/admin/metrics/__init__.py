"""The metrics page: the names and units follow the conventions of Prometheus."""
