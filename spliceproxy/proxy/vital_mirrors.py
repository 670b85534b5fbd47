"""Turning clients away whose traffic can't be recorded, before a backend is asked."""

from spliceproxy.proxy.route import Route
from spliceproxy.sinks.mirrors import choose


def can_be_recorded(route: Route, client: str, server_name: str | None) -> bool:
    """Whether all mirrors work that this client's connection can't do without, as far as known.

    If so, each of them knows that the connection is let in.
    """
    chosen = choose(route.vital, client, server_name)
    chosen += [
        attached.mirror
        for attached in route.attached
        if attached.mirror.settings.is_vital and attached.wants(client, server_name)
    ]
    if any(mirror.state.refuses for mirror in chosen):
        return False
    for mirror in chosen:
        mirror.state.let_in()
    return True
