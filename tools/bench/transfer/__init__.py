"""What it costs to bring a file, or another socket's bytes, into a socket: technique by technique.

`stage` holds what a measurement needs, `trial` is a table's worth of contestants, the modules
named after what they move make the trials, `advice` draws sentences from the figures.
"""
