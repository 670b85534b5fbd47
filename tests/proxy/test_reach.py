"""Settings of a program whose routes lead nowhere."""

import pytest

from spliceproxy.errors import UsageProblem
from spliceproxy.serving import serve
from spliceproxy.settings.address import TcpAddress
from spliceproxy.settings.backend import BackendSettings
from spliceproxy.settings.listen import ListenSettings
from spliceproxy.settings.proxy import RouteSettings, Settings
from spliceproxy.settings.sni import SniSettings

LISTEN = (ListenSettings(address=TcpAddress("127.0.0.1", 0)),)
BACKENDS = (BackendSettings(address=TcpAddress("127.0.0.1", 1)),)


@pytest.mark.parametrize(
    ("route", "what"),
    [
        (RouteSettings(listen=LISTEN), "'default': backends: is missing"),
        (RouteSettings(backends=BACKENDS), "'default': listen: is missing"),
        (
            RouteSettings(listen=LISTEN, sni=(SniSettings(alpn=("h2",), route="b"),)),
            "'default': sni.0.route: route 'b' is not known",
        ),
    ],
)
async def test_they_are_refused(route: RouteSettings, what: str) -> None:
    with pytest.raises(UsageProblem, match=what):
        async with serve(Settings(workers=1, routes=(route,))):
            pytest.fail("it serves")
