"""What an interface tells of its offloads."""

import errno
import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from spliceproxy.kernel.ethtool import offloads

SWITCHES = {  # ETHTOOL_S*, linux/ethtool.h
    "scatter_gather": 0x19,
    "transmit_checksums": 0x17,
    "tcp_segmentation": 0x1F,
    "generic_segmentation": 0x24,
    "generic_receive": 0x2C,
}

# Switches one offload over, and prints which ones are other than before.
SCRIPT = """
import ctypes, fcntl, json, socket, struct, sys
from spliceproxy.kernel.ethtool import offloads

before = offloads("here")
value = (ctypes.c_uint32 * 2)(int(sys.argv[2]), not before[sys.argv[1]])
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    request = struct.pack("16sP16x", b"here", ctypes.addressof(value))
    fcntl.ioctl(sock.fileno(), 0x8946, request)
after = offloads("here")
print(json.dumps([name for name in before if before[name] != after[name]]))
"""


def test_loopback_has_all_of_them() -> None:
    assert set(offloads("lo").items()) >= {("scatter_gather", True), ("tcp_segmentation", True)}


@pytest.mark.parametrize("name", SWITCHES)
def test_each_is_told_from_the_others(name: str, program: Callable[[str], str]) -> None:
    """A pair of interfaces in a network of its own, where anybody has the rights to switch."""
    ip, python = program("ip"), sys.executable
    steps = f'{ip} link add here type veth && exec {python} -c "$0" {name} {SWITCHES[name]}'
    command = [program("unshare"), "--map-root-user", "--net", "/bin/sh", "-c", steps, SCRIPT]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=30)
    if "unshare" in outcome.stderr or "RTNETLINK" in outcome.stderr:
        pytest.skip(f"no network of its own here: {outcome.stderr}")
    assert outcome.stderr == ""
    switched = json.loads(outcome.stdout)
    assert name in switched
    # Without checksums and scatter-gather there is no segmentation (netdev_fix_features).
    implied = {"scatter_gather", "tcp_segmentation", "generic_segmentation"}
    alone = name not in {"scatter_gather", "transmit_checksums"}
    assert switched == [name] if alone else {name, *switched} <= {name, *implied}


def test_an_interface_that_is_not_there() -> None:
    with pytest.raises(OSError, match="No such device") as caught:
        offloads("no-such-device")
    assert caught.value.errno == errno.ENODEV
