"""Samples are whole, stable and nested."""

import ipaddress
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.policy.sampling import sampled

keys = st.binary(max_size=40)
fractions = st.floats(0, 1)


@given(keys)
def test_none_and_all(key: bytes) -> None:
    assert not sampled(key, 0.0)
    assert sampled(key, 1.0)


@given(keys, fractions, fractions)
def test_a_sample_is_inside_each_larger_one(key: bytes, one: float, other: float) -> None:
    assert not sampled(key, min(one, other)) or sampled(key, max(one, other))


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.5, 0.9])
def test_neighbouring_addresses_are_sampled_evenly(fraction: float) -> None:
    network = ipaddress.ip_network("10.0.0.0/18")
    members = sum(sampled(address.packed, fraction) for address in network)
    # Four standard deviations of a fair draw; the hash has no seed, so the outcome is fixed.
    tolerance = 4 * (fraction * (1 - fraction) / network.num_addresses) ** 0.5
    assert members / network.num_addresses == pytest.approx(fraction, abs=tolerance)


def test_every_process_draws_the_same_sample() -> None:
    script = (
        "from spliceproxy.policy.sampling import sampled\n"
        "print([n for n in range(200) if sampled(bytes([n]), 0.1)])"
    )
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    members = [number for number in range(200) if sampled(bytes([number]), 0.1)]
    assert outcome.stdout.decode().strip() == str(members)
    assert members
