"""Which clients a sample holds."""

from ipaddress import IPv6Address

from spliceproxy.ipc.shared_table import private_row
from spliceproxy.loop.reactor import Reactor
from spliceproxy.settings.mirror import parse_mirror
from spliceproxy.sinks.mirrors import Mirrors, choose


def test_a_client_is_in_or_out_in_whatever_way_its_name_is_written() -> None:
    reactor = Reactor()
    mirrors = Mirrors(reactor, 1 << 20, b"k" * 32)
    sampled = parse_mirror("null:?sample=50%")
    # The row of an operator's orders, who has given none.
    [mirror] = mirrors.open([(sampled, None, private_row("order").cells)], 1)
    clients = [str(IPv6Address("2001:db8::") + number) for number in range(64)]
    clients += [f"192.0.2.{number}" for number in range(64)]
    for client in clients:
        host = f"[{client}]" if ":" in client else client
        names = (client, host, f"{host}:1", f"{host}:65535")
        assert len({bool(choose([mirror], name, None)) for name in names}) == 1
    assert 32 < sum(bool(choose([mirror], client, None)) for client in clients) < 96
    mirrors.close()
    reactor.close()
