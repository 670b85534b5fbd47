"""What an interface tells of its offloads."""

import errno

import pytest

from spliceproxy.kernel.ethtool import offloads


def test_loopback_has_all_of_them() -> None:
    answer = offloads("lo")
    assert answer["scatter_gather"]  # NETIF_F_SG is always on there (drivers/net/loopback.c)
    assert answer["tcp_segmentation"]
    assert len(answer) == 5


def test_an_interface_that_is_not_there() -> None:
    with pytest.raises(OSError, match="No such device") as caught:
        offloads("no-such-device")
    assert caught.value.errno == errno.ENODEV
