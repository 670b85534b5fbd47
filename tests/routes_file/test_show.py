"""The effective configuration and the schema, held against the reader and the examples."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import spliceproxy
from spliceproxy.routes_file.model import MODELS, fields_by_key, json_schema
from spliceproxy.routes_file.show import schema, show
from spliceproxy.settings.mirror_options import every_option
from spliceproxy.settings.proxy import Settings
from tests.routes_file.reading import ROUTE, settings_of

CONFIG = Path(spliceproxy.__file__).parent.parent / "config"
EXAMPLES = sorted(CONFIG.glob("*.yaml"))

examples = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)


def test_there_are_examples() -> None:
    names = {path.stem for path in EXAMPLES}
    assert names >= {
        "minimal",
        "mirror-log-sink",
        "shadow",
        "audit",
        "full-reference",
        "balanced-pool",
    }


@examples
def test_what_is_shown_means_the_same(path: Path) -> None:
    settings = settings_of(path.read_text())
    shown = show(settings)
    assert without_secrets(settings_of(shown)) == without_secrets(settings)
    jsonschema.validate(yaml.safe_load(shown), json_schema())


def without_secrets(settings: Settings) -> Settings:
    admin = settings.admin.model_copy(update={"token": None, "viewer_token": None})
    return settings.model_copy(update={"admin": admin, "sample_key": None})


def test_a_secret_is_not_shown() -> None:
    tokens = "token: 0123456789abcdef, viewer_token: fedcba9876543210"
    settings = settings_of(f"{ROUTE}admin: {{listen: unix:/a, {tokens}}}")
    shown = show(settings)
    assert "0123456789abcdef" not in shown
    assert "fedcba9876543210" not in shown
    assert settings_of(shown).admin.listen == settings.admin.listen


def test_a_secret_in_hex_is_used_and_not_shown() -> None:
    text = 'routes: [{listen: 80, backends: b:80, health_check: {expect: {hex: "16 ${SECRET}"}}}]'
    secret = {"SECRET": "d2c0ffee"}
    settings = settings_of(text, secret)
    check = settings.routes[0].health_check
    assert check is not None
    assert check.expect == b"\x16\xd2\xc0\xff\xee"
    shown = show(settings)
    assert "c0ffee" not in shown
    assert "c0ffee" not in repr(check)
    assert settings_of(shown, secret) == settings
    jsonschema.validate(yaml.safe_load(shown), json_schema())


def test_bytes_that_are_no_text_are_shown_so_that_they_stay() -> None:
    text = 'routes: [{listen: 80, backends: b:80, health_check: {expect: {hex: "16 d2 00 5c"}}}]'
    settings = settings_of(text)
    assert settings_of(show(settings)) == settings


def test_what_looks_like_a_variable_is_shown_so_that_it_stays() -> None:
    text = 'routes: [{listen: 80, backends: b:80, mirrors: {to: "exec:echo $${A}"}}]'
    settings = settings_of(text)
    assert settings_of(show(settings)) == settings


def test_everything_is_shown_with_its_unit() -> None:
    shown: dict[str, Any] = yaml.safe_load(show(settings_of(f"{ROUTE}workers: 3")))
    assert shown == {
        "workers": 3,
        "drain_timeout": "30s",
        "drain_delay": "0s",
        "reload_drain_timeout": "1d",
        "max_generations": 8,
        "hang_timeout": "10s",
        "splice": True,
        "raise_nofile": True,
        "strict_names": False,
        "sandbox": "auto",
        "admin": {
            "listen": [],
            "operators": [],
            "attach": ["tcp", "unix", "null"],
            "insecure": False,
        },
        "dns": {"servers": []},
        "log": {"to": "stdout", "format": "auto", "level": "info"},
        "access_log": {"to": "log", "format": "auto"},
        "routes": [
            {
                "name": "a",
                "listen": [{"address": "80"}],
                "backends": [{"address": "b:80", "weight": 1, "backup": False}],
                "balance": "round_robin",
                "ejection": {"enabled": True, "after": 3, "first": "5s", "longest": "5m"},
                "on_down": "keep",
                "queue": {"timeout": "10s", "size": 1024},
                "backlog": 4096,
                "allow": [],
                "deny": [],
                "per_client": {"ipv4_prefix": 32, "ipv6_prefix": 64},
                "unknown_clients": "refuse",
                "bandwidth": {},
                "timeouts": {
                    "connect": "5s",
                    "next_address": "250ms",
                    "idle": "1h",
                    "tcp_user": "0s",
                    "client_hello": "5s",
                },
                "trusted": [],
                "sni": [],
                "mirrors": [],
            }
        ],
    }


@examples
def test_the_schema_accepts_the_examples(path: Path) -> None:
    jsonschema.validate(yaml.safe_load(path.read_text()), json_schema())


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "routes: []",
        f"{ROUTE}worker: 1",
        f"{ROUTE}workers: many",
        f"{ROUTE}splice: 1",
        f"{ROUTE}drain_timeout: 5",
        f"{ROUTE}log: {{level: warn}}",
        f"{ROUTE}log: {{to: none}}",
        f"{ROUTE}access_log: {{to: 1}}",
        "routes: [{listen: 80, backends: [{adress: a:1}]}]",
        "routes: [{listen: {adress: 80}, backends: a:1}]",
        'routes: [{listen: {address: "unix:/a", mode: "0999"}, backends: a:1}]',
        "routes: [{listen: 80, backends: b:80, mirrors: [{overflow: gap}]}]",
        'routes: [{listen: 80, backends: b:80, mirrors: [{to: "null:", overflow: gup}]}]',
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text), json_schema())


def test_the_schema_is_one() -> None:
    content = json.loads(schema())
    jsonschema.Draft202012Validator.check_schema(content)
    timeouts = content["$defs"]["Timeouts"]["properties"]
    assert timeouts["connect"]["default"] == "5s"


def test_the_full_reference_has_every_key() -> None:
    text = (CONFIG / "full-reference.yaml").read_text()
    keys = (
        {key for model in MODELS for key in fields_by_key(model)} | every_option().keys() | {"to"}
    )
    assert {key for key in keys if f"{key}:" not in text} == set()
