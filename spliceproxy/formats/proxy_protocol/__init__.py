"""The PROXY protocol: who a connection came from, told by the proxy before.

https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt
"""
