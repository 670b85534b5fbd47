from collections import Counter

from tools.bench.rounds import turns


def test_every_peer_has_one_turn_a_round() -> None:
    taken = Counter(turns(["a", "b", "c"], 5))
    assert taken == Counter((number, name) for number in range(5) for name in "abc")


def test_peers_take_turns_at_being_first() -> None:
    order = "".join(name for _round, name in turns(["a", "b", "c"], 4))
    assert order == "abc" + "bca" + "cab" + "abc"
