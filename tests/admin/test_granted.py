"""What operators may not attach, whatever they write."""

from pathlib import Path

import pytest

from spliceproxy.admin.granted import check_granted
from spliceproxy.admin.messages import RefusedError
from spliceproxy.ipc.attachment import AttachRequest, parse_attach_request
from spliceproxy.settings.attach_grants import AttachGrant
from tests.admin.test_attachments import FakeWorker, administration


def wanted(to: str) -> AttachRequest:
    return parse_attach_request({"route": "main", "to": to, "bytes": "1KiB"})


@pytest.fixture
def looks(tmp_path: Path) -> Path:
    """A granted directory, with ways out of it."""
    looks = tmp_path / "looks"
    looks.mkdir()
    (tmp_path / "other").mkdir()
    (looks / "out").symlink_to("../other")
    (looks / "in").symlink_to("deep")
    (looks / "deep").mkdir()
    return looks


@pytest.mark.parametrize(
    "way",
    ["out", "out/x", "../other", "%2e%2e/other", "deep/../../other", "in/../../other", "out/../x"],
)
async def test_no_way_leads_out_of_a_granted_directory(looks: Path, way: str) -> None:
    grants = [AttachGrant("file", str(looks))]
    with pytest.raises(RefusedError, match="to `attach` of `admin`") as refused:
        await check_granted(wanted(f"file:{looks}/{way}"), grants)
    assert refused.value.status == 403
    assert list((looks.parent / "other").iterdir()) == []


@pytest.mark.parametrize("way", ["", "/new", "/deep", "/in", "/in/../deep"])
async def test_what_is_below_is_granted_and_links_are_followed_once(looks: Path, way: str) -> None:
    grants = [AttachGrant("file", str(looks))]
    given = wanted(f"file:{looks}{way}?direction=both&overflow=gap")
    found = await check_granted(given, grants)
    real = str(Path(f"{looks}{way}").resolve())  # noqa: ASYNC240 - a test may wait
    assert found.mirror.target == real
    assert parse_attach_request({"route": "main", "to": found.to}).mirror.target == real
    assert (found.mirror.direction, found.mirror.overflow) == ("both", "gap")
    assert found.mirror.max_bytes == 1024


@pytest.mark.parametrize(
    "option", ["max_age=1s", "max_total=1MiB", "keep_free=99%", "trust_directory=yes"]
)
async def test_options_that_concern_the_files_of_others_are_not_for_operators(
    looks: Path, option: str
) -> None:
    grants = [AttachGrant("file", str(looks))]
    with pytest.raises(RefusedError, match=f"{option.partition('=')[0]} is for mirrors of the con"):
        await check_granted(wanted(f"file:{looks}?{option}"), grants)
    await check_granted(wanted(f"file:{looks}?trust_directory=no"), grants)


async def test_what_the_masters_process_does_is_not_for_operators(looks: Path) -> None:
    grants = [AttachGrant("capture", str(looks))]
    with pytest.raises(RefusedError, match="compress is for mirrors of the configuration alone"):
        await check_granted(wanted(f"capture:{looks}?compress=zstd"), grants)
    await check_granted(wanted(f"capture:{looks}?compress=none"), grants)


@pytest.mark.parametrize("way", ["deep", "in", "deep/2026-11-28", "out/../looks/in/new"])
async def test_nothing_is_written_where_a_mirror_of_the_configuration_writes(
    looks: Path, way: str
) -> None:
    grants, taken = [AttachGrant("file", str(looks.parent))], [str(looks / "in")]
    with pytest.raises(RefusedError, match="a directory of its own") as refused:
        await check_granted(wanted(f"file:{looks}/{way}"), grants, taken)
    assert refused.value.status == 409
    for free in ("", "/deeper", "/out"):
        await check_granted(wanted(f"file:{looks}{free}"), grants, taken)


@pytest.mark.parametrize("to", ["exec:id>/tmp/x?shell=yes", "exec:true", "file:/etc/cron.d"])
async def test_no_worker_hears_of_what_is_not_granted(to: str) -> None:
    worker = FakeWorker(0)
    async with administration() as [admin]:
        admin.let_in(worker)
        with pytest.raises(RefusedError, match="not granted: add") as refused:
            await admin.attach(to=to)
        assert refused.value.status == 403
        for granted in ("null:", "tcp://127.0.0.1:9", "unix:/tmp/none"):
            await admin.attach(to=granted)
    assert len(worker.attached) == 3
