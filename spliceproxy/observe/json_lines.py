"""JSON as log lines have it."""

from json import JSONEncoder

# The standard library's encoder, in C, takes 2.5 µs for a dozen keys. orjson takes 0.2, which is
# not worth a compiled dependency.
encode_json = JSONEncoder(separators=(",", ":"), default=str).encode
