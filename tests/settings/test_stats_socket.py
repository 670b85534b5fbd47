import pytest
from pydantic import ValidationError

from spliceproxy.settings.stats_socket import StatsSocketSettings


def test_a_path_and_its_permissions() -> None:
    settings = StatsSocketSettings.model_validate(
        {"address": "unix:/run/stats.sock", "mode": "0660", "group": "adm"}
    )
    assert str(settings.address) == "unix:/run/stats.sock"
    assert (settings.mode, settings.owner, settings.group) == (0o660, None, "adm")


@pytest.mark.parametrize("address", ["127.0.0.1:9000", "fd:3", "systemd:stats", "9000"])
def test_an_address_that_others_might_reach_is_refused(address: str) -> None:
    with pytest.raises(ValidationError, match="expected unix:PATH"):
        StatsSocketSettings.model_validate({"address": address})
