"""Who can reach the admin interface, and what keeps strangers out."""

import ipaddress
from collections.abc import Iterable

from spliceproxy.settings.accounts import parse_account
from spliceproxy.settings.address import TcpAddress, UnixAddress
from spliceproxy.settings.listen_address import ListenAddress

LEAST_TOKEN_LENGTH = 16
GROUP_PREFIX = "group:"


def parse_token(text: str) -> str:
    """Return a secret that can travel in a header, and is not guessed in passing."""
    if (
        len(text) < LEAST_TOKEN_LENGTH
        or not text.isascii()
        or not text.isprintable()
        or " " in text
    ):
        raise ValueError(
            f"is no token: expected {LEAST_TOKEN_LENGTH} or more printable characters without "
            "spaces, as from: openssl rand -hex 16"
        )
    return text


def parse_operator(text: str) -> str:
    """Return a user, or a group behind `group:`; whether there is one is not asked yet."""
    parse_account(text.removeprefix(GROUP_PREFIX))
    return text


def check_tokens(token: str | None, viewer_token: str | None) -> None:
    """Refuse a viewer's token that is the operator's, which would be its end as a secret.

    Raises:
        ValueError: they are the same.
    """
    if token is not None and token == viewer_token:
        raise ValueError("token and viewer_token are the same: expected one of its own for each")


def check_exposure(listen: Iterable[ListenAddress], *, has_token: bool, insecure: bool) -> None:
    """Refuse an admin interface that strangers can reach and use.

    Raises:
        ValueError: an address is not of this machine alone, and there is no token.
    """
    for address in listen:
        if not has_token and not insecure and not is_local(address):
            raise ValueError(
                f"{address} can be reached from elsewhere: expected a token, a loopback address "
                "such as 127.0.0.1:9000, or unix:PATH"
            )


def is_local(address: ListenAddress) -> bool:
    """Whether only programs on this machine can connect, as far as the address tells."""
    if isinstance(address, UnixAddress):
        return True
    if not isinstance(address, TcpAddress):  # a socket that somebody else has opened
        return False
    if address.host == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.host or "").is_loopback
    except ValueError:
        return False
