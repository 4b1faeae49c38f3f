"""Each setting from each source, who wins, and how file and environment are read."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cxkit.settings import ExporterTable, Redact, Secret, Settings, load

SIGNING, IDENTIFIER = "an old signing secret", "an identifier secret"

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"

# Dotted name, how the file says it, how the environment does, and what it is then.
EVERY: list[tuple[str, str, str, object]] = [
    ("service", '"shop"', "shop", "shop"),
    ("strict", "true", "true", True),
    ("directory", '"/var/lib/cx"', "/var/lib/cx", Path("/var/lib/cx")),
    ("durability", '"write"', "write", "write"),
    ("exit_timeout_s", "3", "3", 3.0),
    ("store_budget_s", "0.5", "0.5", 0.5),
    ("queue.max_bytes", "1_000", "1000", 1000),
    ("development", "false", "false", False),
    ("profile.remember", "false", "false", False),
    ("identity.blocked", '["till@shop.example"]', "till@shop.example", ("till@shop.example",)),
    ("identity.kiosk", "true", "true", True),
    ("identity.types.NAME.kind", '"strong"', "strong", "strong"),
    ("identity.types.NAME.unique", "true", "true", True),
    ("identity.types.NAME.most", "3", "3", 3),
    ("identity.types.NAME.within_s", "60", "60", 60.0),
    ("identity.types.NAME.priority", "85", "85", 85),
    ("spool.max_bytes", "9_000_000", "9000000", 9_000_000),
    ("spool.max_records", "9_000", "9000", 9_000),
    ("spool.max_age_s", "60.5", "60.5", 60.5),
    ("spool.segment_bytes", "4096", "4096", 4096),
    ("spool.sync_interval_s", "0", "0", 0.0),
    (
        "keys.signing",
        f'["{SIGNING}", "{IDENTIFIER}"]',
        f"{SIGNING}, {IDENTIFIER}",
        (Secret(SIGNING), Secret(IDENTIFIER)),
    ),
    ("keys.identifier", f'"{IDENTIFIER}"', IDENTIFIER, Secret(IDENTIFIER)),
    ("consent.policy", '"gdpr"', "gdpr", "gdpr"),
    ("consent.before_choice", '"drop"', "drop", "drop"),
    ("web.exclude", '["/ping", "/assets/"]', "/ping,/assets/", ("/ping", "/assets/")),
    ("web.visitor_max_age_s", "86400", "86400", 86_400),
    ("web.consent_max_age_s", "3600", "3600", 3600),
    ("web.cookie_prefix", '"shop"', "shop", "shop"),
    ("web.accept_ch", '["Sec-CH-Viewport-Width"]', "Sec-CH-Viewport-Width", ("Sec-CH-Viewport-Width",)),
    ("web.asked", '["analytics"]', "analytics", ("analytics",)),
    ("web.mount", '"/experience"', "/experience", "/experience"),
    ("web.origins", '["https://www.example.com"]', "https://www.example.com", ("https://www.example.com",)),
    ("web.users", "false", "false", False),
    ("web.id_cookies.NAME", '"segment_id"', "segment_id", "segment_id"),
    ("web.id_headers.NAME", '"device_id"', "device_id", "device_id"),
    ("web.routes", '["/", "/orders/{id}"]', "/,/orders/{id}", ("/", "/orders/{id}")),
    ("web.beacon_touchpoints", '["survey.answered"]', "survey.answered", ("survey.answered",)),
    ("web.beacon_per_minute", "60", "60", 60),
    ("web.client_ip.strategy", '"rightmost_trusted_count"', "rightmost_trusted_count", "rightmost_trusted_count"),
    ("web.client_ip.header", '"Forwarded"', "Forwarded", "Forwarded"),
    ("web.client_ip.hops", "2", "2", 2),
    ("web.client_ip.trusted", '["10.0.0.0/8", "unix"]', "10.0.0.0/8, unix", ("10.0.0.0/8", "unix")),
    ("redact.extra", '["nickname"]', "nickname", ("nickname",)),
    ("redact.keep", '["token_hint"]', "token_hint", ("token_hint",)),
    ("plugins.allow", '["cxkit-flask"]', "cxkit-flask", ("cxkit-flask",)),
    ("plugins.block", '["cxkit-django"]', "cxkit-django", ("cxkit-django",)),
    ("store.type", '"memory"', "memory", "memory"),
    ("store.options.path", '"x.db"', "x.db", "x.db"),
    ("exporters.NAME.type", '"console"', "console", "console"),
    (
        "exporters.NAME.purposes",
        '["analytics", "necessary"]',
        "analytics,necessary",
        {"analytics", "necessary"},
    ),
    ("exporters.NAME.deadline_s", "0.5", "0.5", 0.5),
    ("exporters.NAME.max_batch_records", "7", "7", 7),
    ("exporters.NAME.max_batch_bytes", "70_000", "70000", 70_000),
    ("exporters.NAME.options.url", '"http://cx"', "http://cx", "http://cx"),
    ("experiences.NAME.level", '"3"', "3", "3"),
    ("experiences_file", '"/etc/cx.toml"', "/etc/cx.toml", Path("/etc/cx.toml")),
    ("journeys.NAME.stalled_after_s", '"3"', "3", "3"),
    ("topics.NAME.kind", '"service"', "service", "service"),
    ("topics.NAME.defaults.NAME", '"granted"', "granted", "granted"),
    ("frequency_caps.NAME.most", "3", "3", 3),
    ("frequency_caps.NAME.window_s", "86_400", "86400", 86_400.0),
    ("frequency_caps.NAME.kind", '"marketing"', "marketing", "marketing"),
    ("frequency_caps.NAME.topic", '"news"', "news", "news"),
    ("frequency_caps.NAME.channel", '"email"', "email", "email"),
    ("quiet_hours.start", '"22:30"', "22:30", "22:30"),
    ("quiet_hours.end", '"00:00"', "00:00", "00:00"),
    ("quiet_hours.zone", '"Asia/Tokyo"', "Asia/Tokyo", "Asia/Tokyo"),
    ("tables.flask.theme", '"dark"', "dark", "dark"),
]


# What a table must hold besides the setting that is tried.
TOGETHER: dict[str, dict[str, Any]] = {
    "exporters": {"type": "http"},
    "frequency_caps": {"most": 1, "window_s": 60},
    "quiet_hours": {"start": "21:00", "end": "08:00", "zone": "Europe/Paris"},
    "web.client_ip": {"strategy": "rightmost_trusted_count", "hops": 1, "trusted": ["private"]},
}


def together(name: str) -> dict[tuple[str, ...], Any]:
    """Where that stands, and what it is."""
    *tables, key = key_of(name)
    rest = TOGETHER.get(".".join(tables)) or TOGETHER.get(".".join(tables[:1]), {})
    return {(*tables, one): value for one, value in rest.items() if one != key}


def key_of(name: str) -> tuple[str, ...]:
    """How a setting is addressed; options and plugins' tables have no level of their own there."""
    path = name.replace("NAME", "receiver").removeprefix("tables.").replace(".options.", ".")
    return tuple(path.split("."))


def value_of(loaded: Settings, name: str) -> object:
    value: Any = loaded
    for key in name.replace("NAME", "receiver").split("."):
        value = value[key] if isinstance(value, Mapping) else getattr(value, key)
    return value


def nested(name: str, value: Any) -> dict[str, Any]:
    for key in reversed(key_of(name)):
        value = {key: value}
    return dict(value)


def variable_of(name: str) -> str:
    return "CXKIT_" + "__".join(key_of(name)).upper()


def as_file(name: str, toml: str) -> str:
    *tables, key = key_of(name)
    rest = {path[-1]: json.dumps(value) for path, value in together(name).items()}
    lines = [f"{one} = {value}\n" for one, value in {**rest, key: toml}.items()]
    return (f"[{'.'.join(tables)}]\n" if tables else "") + "".join(lines)


# --- Every setting, from each source --------------------------------------------------------------


def test_nothing_set_is_the_defaults() -> None:
    assert load(environ={}) == Settings()
    assert load(environ={}).origins == {}


def test_the_list_here_is_complete() -> None:
    documented = re.findall(r"^### `(.+)`$", REFERENCE.read_text("utf-8"), re.MULTILINE)
    tried = {re.sub(r"\.(level|stalled_after_s)$", "", name) for name, *_ in EVERY}
    assert {name for name in tried if not re.search("options|tables", name)} == set(documented)


@pytest.mark.parametrize(("name", "toml", "_", "expected"), EVERY)
def test_from_the_file(write: Any, name: str, toml: str, _: str, expected: object) -> None:
    write(as_file(name, toml))
    loaded = load(environ={})
    assert value_of(loaded, name) == expected
    assert loaded.origins[".".join(key_of(name))] == "file cxkit.toml"


@pytest.mark.parametrize(("name", "_", "text", "expected"), EVERY)
def test_from_the_environment(name: str, _: str, text: str, expected: object) -> None:
    rest = {
        "CXKIT_" + "__".join(path).upper(): ",".join(value) if isinstance(value, list) else str(value)
        for path, value in together(name).items()
    }
    loaded = load(environ={**rest, variable_of(name): text})
    assert value_of(loaded, name) == expected
    assert loaded.origins[".".join(key_of(name))] == f"env {variable_of(name)}"


@pytest.mark.parametrize(("name", "_", "__", "expected"), EVERY)
def test_from_code(name: str, _: str, __: str, expected: object) -> None:
    table = overrides = nested(name, expected)
    for key in key_of(name)[:-1]:
        table = table[key]
    table |= {path[-1]: value for path, value in together(name).items()}
    loaded = load(environ={}, overrides=overrides)
    assert value_of(loaded, name) == expected
    assert loaded.origins[".".join(key_of(name))] == "code"


# --- Who wins -------------------------------------------------------------------------------------


def test_code_wins_over_environment_over_file_over_default(write: Any) -> None:
    write("[queue]\nmax_bytes = 1")
    environ, overrides = {"CXKIT_QUEUE__MAX_BYTES": "2"}, {"queue": {"max_bytes": 3}}
    seen = [load(environ={}), load(environ=environ), load(environ=environ, overrides=overrides)]
    assert [(one.queue.max_bytes, one.origins["queue.max_bytes"]) for one in seen] == [
        (1, "file cxkit.toml"),
        (2, "env CXKIT_QUEUE__MAX_BYTES"),
        (3, "code"),
    ]


def test_tables_are_merged_and_lists_are_replaced(write: Any) -> None:
    write('[redact]\nextra = ["a", "b"]\nkeep = ["c"]\n[exporters.receiver]\ntype = "http"\nurl = "http://file"')
    environ = {"CXKIT_REDACT__EXTRA": "d", "CXKIT_EXPORTERS__RECEIVER__URL": "http://env"}
    loaded = load(environ=environ, overrides={"exporters": {"receiver": {"timeout_s": 3}}})
    assert loaded.redact == Redact(extra=("d",), keep=("c",))
    assert loaded.exporters["receiver"].options == {"url": "http://env", "timeout_s": 3}


def test_origins_do_not_count_in_comparisons() -> None:
    assert load(environ={"CXKIT_STRICT": "true"}) == load(environ={}, overrides={"strict": True})


# --- The environment ------------------------------------------------------------------------------


def test_names_match_in_any_case_what_the_file_has(write: Any) -> None:
    write('[exporters.receiver]\ntype = "http"\nheaders = { Accept = "text/plain" }\n[Flask]\nx = 1')
    environ = {
        "CXKIT_exporters__Receiver__HEADERS__ACCEPT": "*/*",
        "CXKIT_EXPORTERS__RECEIVER__HEADERS__FROM": "me",
        "CXKIT_FLASK__X": "2",
    }
    loaded = load(environ=environ)
    assert loaded.exporters["receiver"].options["headers"] == {"Accept": "*/*", "from": "me"}
    assert loaded.tables == {"Flask": {"x": "2"}}


@pytest.mark.parametrize(
    ("text", "allowed"), [("off", ()), ("OFF", ()), ("", ()), ("a", ("a",)), (" a , b,", ("a", "b"))]
)
def test_the_variable_of_plugins(text: str, allowed: tuple[str, ...]) -> None:
    loaded = load(environ={"CXKIT_PLUGINS": text})
    assert loaded.plugins.allow == allowed
    assert loaded.origins == {"plugins.allow": "env CXKIT_PLUGINS"}


def test_other_variables_do_not_matter() -> None:
    environ = {"CXKITCHEN": "x", "cxkit_strict": "x", "XCXKIT_STRICT": "x", "LANG": "\udcff"}
    assert load(environ=environ) == Settings()


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("CXKIT_STRIKT", '"CXKIT_STRICT"'),
        ("CXKIT_QUEUE__MAX_BYTE", '"CXKIT_QUEUE__MAX_BYTES"'),
        ("CXKIT_CONFG", '"CXKIT_CONFIG"'),
        ("CXKIT_PLUGIN", '"CXKIT_PLUGINS"'),
        ("CXKIT_SERVICE__NAME", '"CXKIT_SERVICE"'),
        ("CXKIT_", "did you mean"),
        ("CXKIT_STORE", "did you mean"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest(refusal: Any, name: str, near: str) -> None:
    error = refusal(environ={name: "hunter2"})
    assert (error.code, name in error.what, near in error.fix) == ("CX1001", True, True)


def test_the_environment_of_a_process_and_its_working_directory(write: Any) -> None:
    write('service = "shop-${STAGE}"')
    code = "from cxkit.settings import load; one = load(); print(one.service, one.queue.max_bytes)"
    environ = {**os.environb, b"STAGE": b"test", b"CXKIT_QUEUE__MAX_BYTES": b"7"}
    good, bad = (
        subprocess.run([sys.executable, "-c", code], env=one, capture_output=True, text=True, timeout=60)
        for one in (environ, {**environ, b"CXKIT_SERVICE": b"caf\xe9"})
    )
    assert (good.stdout, good.stderr) == ("shop-test 7\n", "")
    assert 'CX1005: the variable "CXKIT_SERVICE"' in bad.stderr


# --- Development ----------------------------------------------------------------------------------


def test_development_raises_and_keeps_everything_here() -> None:
    loaded = load(environ={"CXKIT_DEVELOPMENT": "true"})
    assert loaded.strict
    assert loaded.exporters == {"development": ExporterTable(type="local", purposes=frozenset({"necessary"}))}
    assert loaded.origins["exporters.development.type"] == loaded.origins["strict"] == "env CXKIT_DEVELOPMENT"


def test_development_leaves_alone_what_is_set() -> None:
    overrides = {"strict": False, "exporters": {"mine": {"type": "local", "purposes": ["analytics"]}}}
    loaded = load(environ={"CXKIT_DEVELOPMENT": "true"}, overrides=overrides)
    assert not loaded.strict
    assert list(loaded.exporters) == ["mine"]
    assert loaded.origins["strict"] == "code"
