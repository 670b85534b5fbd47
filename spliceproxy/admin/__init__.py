"""The admin interface: a process of its own that answers over HTTP what the proxy is doing.

It reads the counters that all processes share, asks workers about single connections, and passes
orders on. Whatever happens to it, traffic does not notice.
"""
