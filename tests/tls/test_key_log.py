"""The file for the secrets of TLS is for its owner alone."""

import dataclasses
import os
from pathlib import Path

import pytest

from spliceproxy.errors import StartProblem
from spliceproxy.kernel.inherited import InheritedSockets
from spliceproxy.master.loader import load_configuration
from spliceproxy.proxy.prepared import make_tls
from spliceproxy.settings.address import TcpAddress
from spliceproxy.settings.tls import CertificateSettings, TlsDial, TlsListen
from spliceproxy.tls.certificate_files import read_client_files, read_server_files
from spliceproxy.tls.client_context import ClientContexts
from spliceproxy.tls.key_log import opened_key_log
from spliceproxy.tls.server_contexts import make_server_tls
from tests.descriptors import open_descriptors
from tests.routes_file.reading import settings_of
from tests.tls.authority import Authority, client_tls, server_tls, shake_hands


def test_it_is_made_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    with opened_key_log(str(path)):
        pass
    assert path.stat().st_mode & 0o777 == 0o600
    with opened_key_log(None) as none:
        assert none is None


def test_one_that_others_can_get_at_is_refused(tmp_path: Path) -> None:
    path, link, fifo = (tmp_path / name for name in ("keys", "link", "fifo"))
    path.touch(0o640)
    link.symlink_to(tmp_path / "elsewhere")
    os.mkfifo(fifo)
    for refused, said in (
        (path, "is not for this user alone"),
        (link, "cannot open"),
        (fifo, "cannot open"),
        (tmp_path, "cannot open"),
        (tmp_path / "no" / "keys", "cannot open"),
    ):
        with pytest.raises(StartProblem, match=said), opened_key_log(str(refused)):
            pass
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("name", ["a.example", "b.example"])
def test_secrets_are_written_whichever_certificate_is_shown(
    authority: Authority, tmp_path: Path, name: str
) -> None:
    pairs = [authority.issue(f"{one}.example", file=one) for one in ("a", "b")]
    certificates = [CertificateSettings(certificate=one.certificate, key=one.key) for one in pairs]
    settings = TlsListen(certificates=tuple(certificates))
    keys = tmp_path / "keys"
    with opened_key_log(str(keys)) as lent:
        logging = make_server_tls(settings, read_server_files(settings), key_log=lent).context
    shake_hands(client_tls(TlsDial(ca=authority.path)).context, logging, name)
    told = keys.read_text()
    assert "CLIENT_TRAFFIC_SECRET_0" in told
    dial = TlsDial(ca=authority.path)
    with opened_key_log(str(keys)) as lent:
        contexts = ClientContexts(lent)
        client = contexts.make(dial, read_client_files(dial), TcpAddress(name, 1)).context
    shake_hands(client, server_tls(settings).context, name)
    assert len(keys.read_text()) > len(told)


def test_each_context_has_its_descriptor(authority: Authority, tmp_path: Path) -> None:
    """As many as are counted with listeners when routes share what a worker may open."""
    pairs = [authority.issue(f"{one}.example", file=one) for one in ("a", "b", "c")]
    certificates = [{"certificate": one.certificate, "key": one.key} for one in pairs]
    text = (
        f"tls_key_log: {tmp_path / 'keys'}\n"
        f"routes: [{{listen: {{address: '127.0.0.1:0', tls: {{certificates: {certificates}}}}}, "
        f"backends: {{address: '127.0.0.1:1', tls: {{name: a, ca: {authority.path}}}}}}}]"
    )
    loaded = load_configuration(lambda: settings_of(text), InheritedSockets())
    assert loaded.key_logs == 4
    before = len(open_descriptors())
    made = make_tls(loaded.settings, loaded.tls, [[0]])
    assert len(open_descriptors()) - before == loaded.key_logs
    without = loaded.settings.model_copy(update={"tls_key_log": None})
    assert dataclasses.replace(loaded, settings=without).key_logs == 0
    del made
