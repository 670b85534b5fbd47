"""The PROXY protocol: who a connection came from, told by the proxy before.

Reading order: `header`, `decode`, `version1`, `version2` with `tlvs`; `client_handshake`,
`told`, what is read of TLVs; `introduction`, what is sent of a client. Tested by
tests/formats/proxy_protocol.
https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt
"""
