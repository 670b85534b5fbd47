"""Host names and IP addresses: what may stand before the port, in one canonical spelling."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

from spliceproxy.errors import quote

# RFC 1035, section 2.3.4, without the length bytes of the wire format.
MAX_NAME_LENGTH = 253

# The underscore is not in RFC 952, but container networks put it in names that do resolve.
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII)
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_SCOPE = re.compile(r"[A-Za-z0-9_.-]{1,15}", re.ASCII)  # an interface name or index


def check_ipv6(host: str) -> str:
    """Return the canonical spelling of an IPv6 address with an optional %scope."""
    address, percent, scope = host.partition("%")
    if percent and not _SCOPE.fullmatch(scope):
        raise ValueError(f"scope {quote(scope)} is not the name of a network interface")
    try:
        return IPv6Address(address).compressed + percent + scope
    except ValueError:
        raise ValueError(
            f"{quote(host)} is not an IPv6 address: brackets hold one, as in [::1]:80"
        ) from None


def check_host(host: str) -> str:
    """Return an IPv4 address or a name in lower case ASCII (IDNA)."""
    if host == "*":
        raise ValueError("'*' is not a host: a port alone listens on every address")
    name = _to_ascii(host)
    labels = name.removesuffix(".").split(".")
    if _NUMERIC_LABEL.fullmatch(labels[-1]):
        # No top-level domain is a number. The C library would read "10.1" as 10.0.0.1.
        try:
            return str(IPv4Address(name))
        except ValueError:
            raise ValueError(
                f"{quote(host)} is not an IPv4 address: expected four numbers of 0 to 255"
            ) from None
    if len(name) > MAX_NAME_LENGTH or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(
            f"{quote(host)} is not a host name: expected labels of 1 to 63 letters, digits and "
            f"inner hyphens, {MAX_NAME_LENGTH} characters in all"
        )
    return name


def parse_ip(text: str) -> str:
    """Return an IPv4 or IPv6 address, without brackets, in its canonical spelling."""
    try:
        return ip_address(text).compressed
    except ValueError:
        raise ValueError(f"{quote(text)} is not an IP address: expected one, as in ::1") from None


def _to_ascii(host: str) -> str:
    if host.isascii():
        return host.lower()
    try:
        # The length first: the codec's time grows with the square of its input.
        if len(host) <= MAX_NAME_LENGTH:
            return host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        pass
    raise ValueError(f"{quote(host)} is not a valid international host name")
