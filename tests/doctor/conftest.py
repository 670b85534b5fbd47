"""The check that no test leaves a descriptor open, and machines that are made of a few files."""

from collections.abc import Callable
from pathlib import Path

import pytest

from spliceproxy.doctor.machine import Machine
from tests.descriptors import no_descriptor_is_left_open

__all__ = ["no_descriptor_is_left_open"]

MakeMachine = Callable[[dict[str, str]], Machine]


@pytest.fixture
def make_machine(tmp_path: Path) -> MakeMachine:
    """Make a machine with these files, and settings of the kernel by their names."""

    def make(files: dict[str, str]) -> Machine:
        for name, text in files.items():
            setting = "proc/sys/" + name.replace(".", "/")
            path = tmp_path / (name if "/" in name else setting)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n")
        return Machine(tmp_path)

    return make
