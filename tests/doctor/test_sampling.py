"""What doctor says of the key that samples are drawn with."""

import pytest

from spliceproxy.doctor.finding import FindingStatus
from spliceproxy.doctor.sampling import check_sampling
from tests.doctor.conftest import MakeMachine
from tests.doctor.routes import routes

ID = "3d1219c7c4c5404aaa1f6d2a48adfda4"


@pytest.mark.parametrize(
    ("text", "options", "key", "status"),
    [
        (ID, {}, "machine", FindingStatus.OK),
        ("", {}, "random", FindingStatus.WARN),
        ("", {"sample_key": "a-secret-of-some-length"}, "set", FindingStatus.OK),
    ],
)
def test_where_it_comes_from(
    make_machine: MakeMachine, text: str, options: dict[str, str], key: str, status: FindingStatus
) -> None:
    machine = make_machine({"etc/machine-id": text})
    (finding,) = check_sampling(machine, routes(mirrors=["null:?sample=5%"], **options))
    assert (finding.check, finding.status) == ("mirrors.sample_key", status)
    assert finding.values == {"key": key}
    assert bool(finding.remedy) == (status != FindingStatus.OK)
    assert not {ID, "a-secret-of-some-length"} & set(finding.fact.split())


def test_where_nothing_is_sampled_it_is_of_no_interest(make_machine: MakeMachine) -> None:
    machine = make_machine({})
    for settings in (None, routes(), routes(mirrors=["null:"])):
        assert list(check_sampling(machine, settings)) == []
