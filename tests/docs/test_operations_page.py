"""What docs/operations.md tells of the admin interface is what there is."""

from pathlib import Path
from typing import Any, cast

from spliceproxy.admin.api import Api
from spliceproxy.cli.ctl import ctl

OPERATIONS = Path(__file__).resolve().parents[2] / "docs" / "operations.md"


def test_every_path_and_every_command_is_told_of() -> None:
    page = OPERATIONS.read_text()
    for path, methods in Api(cast(Any, None), cast(Any, None))._handlers.items():
        for method in methods:
            assert f"| `{method} {path}` |" in page, path
    for command in ctl.commands:
        assert f"| `{command}" in page, command
