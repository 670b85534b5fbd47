"""The event loop of a worker: who is called when, and how a socket begins and ends.

Reading order: `reactor` (events, batches), `timers` (deadlines), `dial` and `race` (connecting),
`farewell` (closing). Tested by tests/loop.
"""
