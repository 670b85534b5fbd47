"""Samples are whole, stable and nested."""

import ipaddress
import subprocess
import sys
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.policy.sampling import key_of, sampled

KEY = b"k" * 32
clients = st.binary(max_size=40)
keys = st.binary(min_size=32, max_size=32)
fractions = st.floats(0, 1)


@given(clients, keys)
def test_none_and_all(client: bytes, key: bytes) -> None:
    assert not sampled(client, 0.0, key)
    assert sampled(client, 1.0, key)


@given(clients, fractions, fractions, keys)
def test_a_sample_is_inside_each_larger_one(
    client: bytes, one: float, other: float, key: bytes
) -> None:
    assert not sampled(client, min(one, other), key) or sampled(client, max(one, other), key)


def test_without_the_key_nobody_can_tell() -> None:
    """Of those whom one key samples, another key samples no more than of all."""
    hosts = [str(number).encode() for number in range(2000)]
    chosen = [host for host in hosts if sampled(host, 0.1, KEY)]
    unkeyed = [
        host
        for host in hosts
        if int.from_bytes(blake2b(host, digest_size=8).digest()) < 0.1 * 2**64
    ]
    for guess in (unkeyed, [host for host in hosts if sampled(host, 0.1, b"other" * 4)]):
        assert len(set(chosen) & set(guess)) < 0.25 * len(guess)


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.5, 0.9])
def test_neighbouring_addresses_are_sampled_evenly(fraction: float) -> None:
    network = ipaddress.ip_network("10.0.0.0/18")
    members = sum(sampled(address.packed, fraction, KEY) for address in network)
    # Four standard deviations of a fair draw; the key is always the same, so the outcome is fixed.
    tolerance = 4 * (fraction * (1 - fraction) / network.num_addresses) ** 0.5
    assert members / network.num_addresses == pytest.approx(fraction, abs=tolerance)


def test_every_process_draws_the_same_sample() -> None:
    script = (
        "from spliceproxy.policy.sampling import sampled\n"
        f"print([n for n in range(200) if sampled(bytes([n]), 0.1, {KEY!r})])"
    )
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    members = [number for number in range(200) if sampled(bytes([number]), 0.1, KEY)]
    assert outcome.stdout.decode().strip() == str(members)
    assert members


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_a_secret_of_any_length_is_a_key(one: bytes, other: bytes) -> None:
    assert len(key_of(one)) == 32
    assert (key_of(one) == key_of(other)) == (one == other)
    assert sampled(b"192.0.2.1", 1.0, key_of(one))
