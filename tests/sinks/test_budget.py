"""How mirrors and their clients share memory, as arithmetic."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.sinks.budget import Budget, ClientShare, MirrorShare

MIB = 1 << 20
LIMIT_BYTES = 256 * MIB

counts = st.integers(1, 64 * MIB)
steps = st.lists(
    st.tuples(st.sampled_from(["hold", "release"]), st.integers(0, 4), st.integers(0, 3), counts),
    max_size=60,
)


def fill(share: ClientShare, count: int = MIB // 4) -> int:
    """Hold as much as there is room for."""
    while share.has_room(count):
        share.hold(count)
    return share.used_bytes


def check_sums(budget: Budget, mirrors: list[MirrorShare], clients: list[ClientShare]) -> None:
    assert budget.used_bytes == sum(each.used_bytes for each in mirrors)
    assert budget.used_bytes == sum(each.used_bytes for each in clients)
    beyond = [max(0, each.used_bytes - budget.floor_bytes) for each in mirrors]
    assert [each.beyond_bytes for each in mirrors] == beyond
    assert budget.beyond_bytes == sum(beyond)


@given(st.integers(1, LIMIT_BYTES), st.integers(1, 5), steps)
def test_what_is_held_stays_within_the_budget_and_leaves_the_floors(
    limit_bytes: int, count: int, steps: list[tuple[str, int, int, int]]
) -> None:
    budget = Budget(limit_bytes)
    mirrors = [budget.open_share() for _ in range(count)]
    shares = [[mirror.join(bytes([number])) for number in range(4)] for mirror in mirrors]
    clients = [share for of_mirror in shares for share in of_mirror]
    assert 2 * count * budget.floor_bytes <= limit_bytes
    for what, mirror, client, size in steps:
        share = shares[mirror % count][client]
        if what == "release":
            share.release(min(size, share.used_bytes))
        elif share.has_room(size):
            share.hold(size)
            assert share.used_bytes <= share.limit_bytes
        check_sums(budget, mirrors, clients)
        assert budget.used_bytes <= limit_bytes
        # Each mirror finds what is left of its floor, whatever the others hold.
        left = [max(0, budget.floor_bytes - each.used_bytes) for each in mirrors]
        assert budget.used_bytes + sum(left) <= limit_bytes
        for each in (one for one in mirrors if not one.used_bytes):
            newcomer = each.join(b"new")
            assert newcomer.has_room(budget.floor_bytes * 2 // 3)
            each.leave(newcomer)
    for share in clients:
        share.release(share.used_bytes)
    check_sums(budget, mirrors, clients)
    assert {share.limit_bytes for share in clients} == {fresh_limit(limit_bytes, count)}


def fresh_limit(limit_bytes: int, mirrors: int) -> int:
    """What the only client may use where nobody holds anything."""
    budget = Budget(limit_bytes)
    first, *_ = (budget.open_share() for _ in range(mirrors))
    return first.join(b"").limit_bytes


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5), counts), max_size=40))
def test_mirrors_come_and_go(steps: list[tuple[bool, int, int]]) -> None:
    budget = Budget(LIMIT_BYTES)
    open_shares: list[tuple[MirrorShare, ClientShare]] = []
    for comes, which, size in steps:
        if comes or not open_shares:
            mirror = budget.open_share()
            open_shares.append((mirror, mirror.join(b"client")))
        else:
            mirror, client = open_shares.pop(which % len(open_shares))
            client.release(client.used_bytes)
            mirror.leave(client)
            assert not mirror.clients
            budget.close_share(mirror)
        if open_shares:
            client = open_shares[which % len(open_shares)][1]
            if client.has_room(size):
                client.hold(size)
        check_sums(budget, [each for each, _ in open_shares], [each for _, each in open_shares])
        assert budget.used_bytes <= LIMIT_BYTES


def test_whoever_is_alone_may_use_most_of_it() -> None:
    assert fill(Budget(LIMIT_BYTES).open_share().join(b"a")) > LIMIT_BYTES // 2


def test_each_client_that_comes_finds_something_left() -> None:
    mirror = Budget(LIMIT_BYTES).open_share()
    held = [fill(mirror.join(bytes([number])), 1000) for number in range(6)]
    for before, after in pairwise(held):
        assert before // 4 < after < before // 2


def test_connections_of_one_client_are_one_share() -> None:
    mirror = Budget(LIMIT_BYTES).open_share()
    streams = [mirror.join(b"a") for _ in range(1000)]
    assert len({id(share) for share in streams}) == mirror.clients == 1
    for share in streams:
        mirror.leave(share)
    assert not mirror.clients


def test_a_hog_takes_no_floor() -> None:
    budget = Budget(LIMIT_BYTES)
    hogged, *others = (budget.open_share() for _ in range(4))
    for number in range(40):
        fill(hogged.join(bytes([number])))
    for number in range(40):
        for other in others:
            fill(other.join(bytes([number])))
    assert all(other.used_bytes >= budget.floor_bytes - MIB for other in others)


def test_what_is_free_again_may_be_used_again() -> None:
    mirror = Budget(LIMIT_BYTES).open_share()
    first, second = mirror.join(b"a"), mirror.join(b"b")
    most, rest = fill(first), fill(second)
    first.release(most)
    assert fill(second) > 2 * rest
    second.release(second.used_bytes)
    assert fill(first) == most


def test_a_mirror_that_is_attached_gets_its_floor_when_the_others_have_delivered() -> None:
    budget = Budget(LIMIT_BYTES)
    hogged = budget.open_share()
    hogs = [hogged.join(bytes([number])) for number in range(40)]
    for hog in hogs:
        fill(hog)
    attached = budget.open_share()
    newcomers = [attached.join(bytes([number])) for number in range(40)]
    for newcomer in newcomers:
        fill(newcomer)
    assert budget.used_bytes <= LIMIT_BYTES
    assert attached.used_bytes < budget.floor_bytes - MIB
    assert not any(hog.has_room(1) for hog in hogs)
    for hog in hogs:
        hog.release(hog.used_bytes // 2)
    for newcomer in newcomers:
        fill(newcomer)
    assert attached.used_bytes >= budget.floor_bytes - MIB
