import hmac
from pathlib import Path

import pytest

from spliceproxy.kernel.machine_id import derive_key, parse_machine_id

TEXT = "3d1219c7c4c5404aaa1f6d2a48adfda4"


def test_it_is_the_machines_and_the_applications(tmp_path: Path) -> None:
    path = tmp_path / "machine-id"
    path.write_text(f"{TEXT}\n")
    key = derive_key(b"one", path)
    assert key is not None
    assert key == derive_key(b"one", path)
    assert key == hmac.new(bytes.fromhex(TEXT), b"one", "sha256").digest()
    assert key != derive_key(b"other", path)
    assert bytes.fromhex(TEXT) not in key


@pytest.mark.parametrize(
    "text", ["", "uninitialized\n", "0" * 32, TEXT[:-1], TEXT + "0", "g" * 32, "\0" * 32, "\xff"]
)
def test_before_there_is_one(text: str, tmp_path: Path) -> None:
    path = tmp_path / "machine-id"
    path.write_bytes(text.encode("latin-1"))
    assert parse_machine_id(text) is None
    assert derive_key(b"one", path) is None
    assert derive_key(b"one", tmp_path / "absent") is None
