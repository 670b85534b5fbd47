"""The command line: arguments and environment in, an exit status and at most one line out.

The only room that prints for people and that ends the process.
"""
