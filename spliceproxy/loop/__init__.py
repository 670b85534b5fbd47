"""The event loop of a worker: who is called when, deadlines, and how a socket begins and ends."""
