"""Values of variables are used, and never shown: not by `check`, nor in any name or message."""

import pickle

import pytest

from spliceproxy.errors import StartProblem, UsageProblem
from spliceproxy.proxy.worker_mirrors import mirror_names
from spliceproxy.routes_file.show import show
from spliceproxy.settings.mirror_kinds.table import KINDS
from spliceproxy.settings.proxy import RouteSettings, Settings
from spliceproxy.sinks.checks import check_mirrors
from spliceproxy.upstream.health import judging
from spliceproxy.upstream.resolved import resolve_mirrors
from tests.routes_file.reading import mistakes_of, settings_of

SECRET = "s3cr3t-value"
ROUTE = "routes:\n- {listen: 80, backends: b:80"


def route_of(entry: str, **variables: str) -> tuple[Settings, RouteSettings]:
    settings = settings_of(f"{ROUTE}, mirrors: [{entry}]}}", variables)
    return settings, settings.routes[0]


ENTRIES = [
    ("'exec:curl -H \"T: ${S}\" h'", 'exec:curl -H "T: ${S}" h'),
    ("'exec:curl ${S}?scope=route'", "exec:curl ${S}"),
    ("{to: 'exec:curl $${A} ${S}', shell: true}", "exec:curl $${A} ${S}"),
    ("'tcp://${S}:80?sample=10%'", "tcp://${S}:80"),
    ("{to: 'unix:/run/${S:-x}'}", "unix:/run/${S:-x}"),
    ("'file:/tmp/${S}'", "file:/tmp/${S}"),
]


@pytest.mark.parametrize(("entry", "name"), ENTRIES)
def test_a_mirror_is_shown_as_it_is_written(entry: str, name: str) -> None:
    settings, route = route_of(entry, S=SECRET)
    [mirror] = route.mirrors
    assert mirror_names(route.mirrors) == [name]
    assert SECRET in f"{mirror.target} {mirror.command}"
    assert SECRET not in repr(settings)
    shown = show(settings)
    assert SECRET not in shown
    assert settings_of(shown, {"S": SECRET}) == settings
    again = pickle.loads(pickle.dumps(settings))
    assert again == settings
    assert show(again) == shown


def test_the_capture_of_answers_is_shown_as_it_is_written() -> None:
    entries = "'capture:/tmp/${S}', {to: 'tcp://h:80', answers: 'capture:/tmp/${S}'}"
    settings, route = route_of(entries, S=SECRET)
    assert route.mirrors[1].own.answers == f"/tmp/{SECRET}"
    shown = show(settings)
    assert SECRET not in shown + repr(settings)
    assert settings_of(shown, {"S": SECRET}) == settings
    [mistake] = mistakes_of(
        f"{ROUTE}, mirrors: [{{to: 'tcp://h:80', answers: '${{S}}'}}]}}", {"S": SECRET}
    )
    assert "'${S}' is no capture" in mistake


def test_how_tls_is_spoken_with_a_mirror_is_shown_as_it_is_written() -> None:
    entry = "{to: 'tls://h:80', name: '${S}.example', ca: '/${S}', verify: true}"
    settings, route = route_of(entry, S=SECRET)
    [mirror] = route.mirrors
    assert KINDS[mirror.kind].tls_options(mirror) == {
        "verify": True,
        "ca": f"/{SECRET}",
        "name": f"{SECRET}.example",
    }
    shown = show(settings)
    assert SECRET not in shown + repr(settings)
    assert settings_of(shown, {"S": SECRET}) == settings


@pytest.mark.parametrize("entry", ["'${S}'", "'exec:curl ${S}'"])
def test_options_in_a_variable_stay_there(entry: str) -> None:
    secret = f"exec:echo {SECRET}?scope=route" if "exec" not in entry else f"{SECRET}?scope=route"
    settings, route = route_of(entry, S=secret)
    assert route.mirrors[0].scope == "route"
    assert route.mirrors[0].text == entry.strip("'")
    shown = show(settings)
    assert SECRET not in shown
    assert settings_of(shown, {"S": secret}) == settings


def test_a_health_check_is_shown_as_it_is_written() -> None:
    text = f"{ROUTE}, health_check: {{send: 'AUTH ${{S}}\\r\\n', expect: '+${{S}}'}}}}"
    settings = settings_of(text, {"S": SECRET})
    [route] = settings.routes
    check = route.health_check
    assert check is not None
    assert check.send == f"AUTH {SECRET}\r\n".encode()
    assert SECRET not in repr(settings)
    assert SECRET not in judging("a", route).rules_text
    shown = show(settings)
    assert SECRET not in shown
    assert settings_of(shown, {"S": SECRET}) == settings
    again = pickle.loads(pickle.dumps(settings))
    assert show(again) == shown


@pytest.mark.parametrize(
    ("entry", "secret"),
    [
        ("'tcp://h:${S}'", SECRET),
        ("'tcp://${S}'", f"h:{SECRET}"),
        ("{to: 'tcp://[${S}]:80'}", SECRET),
        ("'${S}'", SECRET),
        ("'${S}'", f"{SECRET}:x"),
        ("'null:?sample=${S}'", SECRET),
        ("'exec:a?smaple=1&b=${S}'", SECRET),
        ("{to: 'exec:a', sample: '${S}'}", SECRET),
        ("{to: 'file:/a${S}'}", f"{SECRET}\x01"),
        ("{to: 'unix:" + "/a" * 20 + "${S}'}", SECRET * 20),
        ("{to: 'exec:${S}'}", f"'{SECRET}"),
    ],
)
def test_a_mistake_tells_no_value(entry: str, secret: str) -> None:
    said = mistakes_of(f"{ROUTE}, mirrors: [{entry}]}}", {"S": secret})
    assert said
    assert SECRET[:6] not in str(said)


def test_a_mistake_in_a_check_tells_no_value() -> None:
    text = f"{ROUTE}, health_check: {{send: '${{S}}', expect: a}}}}"
    said = mistakes_of(text, {"S": rf"{SECRET}\q"})
    assert said
    assert SECRET not in str(said)


def test_a_program_that_is_not_there_is_not_named_by_its_value() -> None:
    _, route = route_of("'exec:${S} -q'", S=SECRET)
    with pytest.raises(UsageProblem, match=r"exec:\$\{S\} -q") as caught:
        check_mirrors(route.mirrors)
    assert SECRET not in str(caught.value)


def test_a_host_that_does_not_resolve_is_not_named_by_its_value() -> None:
    _, route = route_of("'tcp://${S}.invalid:80'", S=SECRET)
    with pytest.raises(StartProblem, match=r"tcp://\$\{S\}.invalid:80 does not resolve") as caught:
        resolve_mirrors(route.mirrors)
    assert SECRET not in str(caught.value)


def test_what_has_no_variable_is_told_in_full() -> None:
    said = mistakes_of(f"{ROUTE}, mirrors: ['tcp://h:http']}}")
    assert "'h:http' has no valid port" in str(said)
