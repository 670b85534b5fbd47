"""What the program tells about itself, and how telling it never gets in the way of traffic.

Reading order: `log` (the pipeline), `lines` (lines that wait for their reader), `outlet` (the
descriptor that they leave by), `connection` (the line of each connection). It decides nothing.
"""
