"""A server that swallows streams: it discards or files them, and misbehaves when told to."""
