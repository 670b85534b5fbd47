"""What to do about what the log tells of clients, backends and mirrors, by reason or errno."""

import errno

from spliceproxy import reasons
from spliceproxy.policy import admission

_OF_REFUSALS = {
    admission.DENIED: "if it is to be let in, change 'allow' and 'deny'",
    admission.NO_CLIENT_ADDRESS: "have whoever is in front tell addresses, or set unknown_clients",
    admission.CLIENT_LIMIT: "if it is no attack, raise per_client.max_connections",
    admission.RATE_LIMITED: "if it is no attack, raise per_client.rate",
    reasons.UNTRUSTED: "if it is one of your proxies, add it to 'trusted'",
    reasons.BAD_PROXY_HEADER: "have the proxy in front send PROXY headers, or set no accept_proxy",
    reasons.TOO_MANY_HOPS: "proxies pass connections on in a ring: correct a backend's address",
    reasons.PROXY_HEADER_TIMEOUT: "have the proxy in front send PROXY headers at once",
    reasons.BAD_CLIENT_HELLO: "it speaks no TLS, or not first: give it a port of its own",
    reasons.CLIENT_HELLO_TIMEOUT: "it speaks no TLS, or is slow: raise timeouts.client_hello",
    reasons.CLIENT_CERTIFICATE_REFUSED: "if it is to be let in, add it to 'clients' of 'tls'",
    reasons.NO_STARTTLS: "have it use TLS, as by sslmode=require or STARTTLS",
    reasons.BAD_STARTTLS: "it speaks another protocol: see 'starttls' of the listener's tls",
    reasons.STARTTLS_TIMEOUT: "it speaks another protocol, or is slow: raise timeouts.client_hello",
    reasons.PLAINTEXT_BEFORE_TLS: "see who is between it and here: commands were slipped in",
    reasons.CLIENT_NOT_TLS: "have it use TLS, or give it a port without",
    reasons.CLIENT_TLS_TIMEOUT: "it speaks no TLS, or is slow: raise timeouts.client_hello",
    reasons.CLIENT_TLS_FAILED: "see the detail, and what its own log says",
    reasons.CLIENT_TLS_MISMATCH: "renew it, or see min_version, ciphers and alpn of 'tls'",
    reasons.CLIENT_TLS_ALERT: "see the detail: most do not believe the certificate or its name",
    reasons.CLIENT_NO_CERTIFICATE: "give it one, or set 'require: optional'",
    reasons.CLIENT_BAD_CERTIFICATE: "see the detail; the authorities are those of client_ca",
    reasons.CLIENT_TLS_CROWDED_OUT: "many clients do not finish: see where they come from",
    reasons.NO_ROUTE: "add its name to 'sni', or give the route backends of its own",
}

_OF_CONNECTS = {
    "backend_refused": "nothing listens there: start the backend, or correct its address",
    "backend_absent": "nothing has that path: start the backend, or correct its address",
    "backend_forbidden": "give this user the right to connect, or look for a firewall",
    "backend_unreachable": "look for a firewall or a missing route to that network",
    "backend_timed_out": "look for a firewall, or a machine that is down",
    reasons.CONNECT_TIMEOUT: "look for a firewall, or raise timeouts.connect",
    reasons.OVERTAKEN: "clients are served; see why this address answers late",
    reasons.NO_BACKEND_ADDRESS: "have its name resolve to an address",
    reasons.LOOP: "its connections would come back to this route: give another address",
    reasons.HEADER_CUT_SHORT: "see whether the backend reads, and asks for a PROXY header",
    reasons.BACKEND_WITHOUT_TLS: "switch TLS on there, or set no 'tls' for this backend",
    reasons.BACKEND_BAD_STARTTLS: "it speaks another protocol: see 'starttls' of its tls",
    reasons.BACKEND_PLAINTEXT_BEFORE_TLS: "see who is between here and it: answers were slipped in",
    reasons.BACKEND_UNREADY: "see the log of the mail server: it turns everybody away",
    reasons.BACKEND_NOT_TLS: "switch TLS on there, or set no 'tls' for this backend",
    reasons.BACKEND_TLS_TIMEOUT: "see whether it speaks TLS, or raise timeouts.connect",
    reasons.BACKEND_TLS_FAILED: "see the detail, and the backend's own log",
    reasons.BACKEND_TLS_MISMATCH: "renew it, or see min_version, ciphers and alpn of its 'tls'",
    reasons.BACKEND_TLS_ALERT: "see the detail: it may want a certificate, or another name",
    reasons.BACKEND_BAD_CERTIFICATE: "see the detail; set 'ca' or 'name' of its 'tls', or renew it",
    reasons.SOURCE_UNAVAILABLE: "give this machine the address of 'source', or change it",
    reasons.NO_CPU_TIME: "give the machine more processors, or the proxy less to do",
    reasons.INTERNAL_ERROR: "see internal_error in the log",
    "no_local_port": "widen net.ipv4.ip_local_port_range, or give the backend more addresses",
    "no_descriptors": "raise the file limit (ulimit -n), or lower max_connections",
    "no_memory": "the kernel is out of memory for sockets (net.ipv4.tcp_mem)",
}

_SHORTAGE = {
    errno.EMFILE: "raise the file limit (ulimit -n), or lower max_connections",
    errno.ENFILE: "raise the system's limit fs.file-max, or fs.pipe-user-pages-soft",
    errno.ENOMEM: "the machine is out of memory",
}

REMEDY_OF_VITAL_MIRROR = "make it work again: with overflow=block there is no traffic without it"


def remedy_of_refusal(reason: str) -> str:
    """Return what to do when clients are refused for a reason."""
    return _OF_REFUSALS.get(reason, "see internal_error in the log")


def remedy_of_connect(reason: str) -> str:
    """Return what to do when connects to a backend fail for a reason."""
    return _OF_CONNECTS.get(reason, "see whether the backend runs and can be reached from here")


def remedy_of_splice(cause: OSError) -> str:
    """Return what to do when connections are copied, as splice(2) or a pipe was refused."""
    if cause.errno in _SHORTAGE:
        return _SHORTAGE[cause.errno]
    return "spliceproxy doctor tells which calls this kernel refuses, and to whom"
