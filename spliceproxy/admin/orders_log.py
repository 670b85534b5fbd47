"""Lines about orders, and about those who may give none: always written, and at once.

An order may be the last thing that this process sees (`drain` ends it), and who has given it must
be in the log whatever level that is at.
"""

from spliceproxy.observe.log import log_always

_MOST_PATH = 100
_MOST_BODY = 500
_MOST_REASON = 300


def log_order(path: str, asker: str, body: str) -> None:
    """Tell of an order that is about to be carried out."""
    log_always("info", "admin_order", path=path[:_MOST_PATH], asker=asker, body=legible(body))


def log_refused_order(path: str, asker: str, reason: str) -> None:
    """Tell of an order that was not, or not wholly, carried out."""
    log_always(
        "warning",
        "admin_order_refused",
        path=path[:_MOST_PATH],
        asker=asker,
        reason=legible(reason, _MOST_REASON),
    )


def log_wrong_token(path: str, asker: str) -> None:
    """Tell of somebody who may be guessing."""
    log_always("warning", "admin_token_refused", path=path[:_MOST_PATH], asker=asker)


def log_tls_refused(asker: str, reason: str) -> None:
    """Tell of somebody with whom there was no agreeing on TLS."""
    log_always("warning", "admin_tls_refused", asker=asker, reason=legible(reason, _MOST_REASON))


def legible(text: str, most: int = _MOST_BODY) -> str:
    """Return what strangers have written so that a terminal shows it and does not obey it."""
    shown = "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text[:most]
    )
    return shown if max(len(text), len(shown)) <= most else f"{shown[:most]}..."
