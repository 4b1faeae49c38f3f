"""What is refused: named with its origin, a fix and a stable code."""

from __future__ import annotations

import re
from typing import Any

import attrs
import pytest

import cxkit.settings
from cxkit.errors import ConfigurationError
from cxkit.settings import Keys, Queue, Secret, Settings, Spool, StoreTable, load

REFUSED: list[tuple[str, dict[str, Any], str, str]] = [  # code, arguments or the file's text, in what, in fix
    ("CX1001", {"text": r'"a\u001b[31m\n" = 1'}, '"a?[31m?" (file cxkit.toml)', "known"),
    ("CX1001", {"text": "stict = true"}, '"stict" (file cxkit.toml)', 'did you mean "strict"?'),
    (
        "CX1001",
        {"text": "[queue]\nmax_byte = 1"},
        '"queue.max_byte" (file cxkit.toml)',
        'did you mean "max_bytes"?',
    ),
    ("CX1001", {"overrides": {"origins": 3}}, '"origins" (code)', "known"),
    ("CX1002", {"environ": {"CXKIT_CONFIG": "nowhere.toml"}}, '"nowhere.toml"', "path"),
    ("CX1003", {"text": "service"}, '"cxkit.toml"', "correct"),
    ("CX1004", {"text": "service = '${NOWHERE}'"}, "NOWHERE", "set NOWHERE"),
    (
        "CX1004",
        {"overrides": {"keys": {"identifier": "${A_KEY_OF_MINE}"}}},
        '"keys.identifier" (code) has a ${...}, which stands for a variable in the file alone',
        "os.environ",
    ),
    ("CX1004", {"overrides": {"keys": {"signing": ["x" * 16, "${A_KEY_OF_MINE}"]}}}, '"keys.signing[1]"', "os.environ"),
    ("CX1004", {"environ": {"CXKIT_KEYS__IDENTIFIER": "${A_KEY_OF_MINE}"}}, '"keys.identifier" (env ', "os.environ"),
    (
        "CX1005",
        {"text": "[queue]\nmax_bytes = '1'"},
        '"queue.max_bytes" (file cxkit.toml) is not a whole number',
        "100",
    ),
    ("CX1005", {"text": "[queue]\nmax_bytes = true"}, "whole number", "100"),
    ("CX1005", {"text": "strict = 1"}, '"strict" (file cxkit.toml) is not true or false', "true"),
    ("CX1005", {"text": "service = 3"}, "is not text", '"'),
    ("CX1005", {"text": "directory = ''"}, '"directory" (file cxkit.toml) is not a path', '"'),
    ("CX1005", {"text": "queue = 3"}, '"queue" (file cxkit.toml) is not', "{"),
    ("CX1005", {"text": "exporters = 3"}, '"exporters" (file cxkit.toml) is not a table', "{"),
    (
        "CX1005",
        {"text": "[[experiences]]\nname = 'a'"},
        '"experiences" (file cxkit.toml) is not a table',
        "{",
    ),
    ("CX1005", {"text": "[web]\nexclude = '/x'"}, '"web.exclude" (file cxkit.toml) is not a list', "["),
    ("CX1005", {"text": "[web]\nexclude = ['/x', 3]"}, '"web.exclude[1]" (file cxkit.toml) is not text', '"'),
    ("CX1001", {"text": "[topics.news]\nkid = 'service'"}, '"topics.news.kid" (file cxkit.toml)', '"kind"'),
    ("CX1001", {"text": "[quiet_hours]\nfrom = '21:00'"}, '"quiet_hours.from" (file cxkit.toml)', "start"),
    ("CX1006", {"text": "[topics.News]"}, '"topics.News"', "lower-case"),
    ("CX1006", {"text": "[topics.news]\nkind = 'markting'"}, '"topics.news.kind"', 'did you mean "marketing"?'),
    ("CX1006", {"text": "[topics.news.defaults]\nemail = 'yes'"}, '"topics.news.defaults.email"', "granted"),
    ("CX1006", {"text": "[topics.news.defaults]\n'E mail' = 'granted'"}, '"topics.news.defaults"', '"email"'),
    ("CX1007", {"text": "[frequency_caps.weekly]\nmost = 3"}, '"frequency_caps.weekly.window_s"', "window_s"),
    ("CX1006", {"text": "[frequency_caps.a]\nmost = 101\nwindow_s = 60"}, '"frequency_caps.a.most"', "0 to 100"),
    (
        "CX1006",
        {"text": "[topics.news]\n[frequency_caps.a]\nmost = 1\nwindow_s = 60\ntopic = 'nwes'"},
        '"frequency_caps.a.topic" (file cxkit.toml)',
        'did you mean "news"?',
    ),
    ("CX1007", {"text": "[quiet_hours]\nstart = '21:00'\nend = '08:00'"}, '"quiet_hours.zone"', "Europe/Paris"),
    ("CX1006", {"text": "[quiet_hours]\nstart = '9pm'"}, '"quiet_hours.start" (file cxkit.toml)', "21:00"),
    (
        "CX1006",
        {"environ": {"CXKIT_QUIET_HOURS__ZONE": "Europe/Pariss"}},
        '"quiet_hours.zone" (env CXKIT_QUIET_HOURS__ZONE)',
        "tzdata",
    ),
    (
        "CX1005",
        {"text": "[keys]\nidentifier = ''"},
        '"keys.identifier" (file cxkit.toml) is not a secret',
        "${",
    ),
    ("CX1005", {"environ": {"CXKIT_STRICT": "yes"}}, '"strict" (env CXKIT_STRICT)', "true"),
    ("CX1005", {"environ": {"CXKIT_SERVICE": "\udcff"}}, '"CXKIT_SERVICE"', "UTF-8"),
    (
        "CX1005",
        {"overrides": {"spool": {"max_age_s": "7 days"}}},
        '"spool.max_age_s" (code) is not a number',
        "1.5",
    ),
    ("CX1005", {"overrides": {"service": None}}, '"service" (code)', '"'),
    ("CX1006", {"text": "[queue]\nmax_bytes = 0"}, '"queue.max_bytes" (file cxkit.toml)', "from 1 to"),
    ("CX1006", {"text": f"[queue]\nmax_bytes = {2**63}"}, '"queue.max_bytes"', "from 1 to"),
    ("CX1006", {"text": "[spool]\nsync_interval_s = -0.1"}, '"spool.sync_interval_s"', "from 0 to"),
    ("CX1006", {"text": "[spool]\nmax_age_s = nan"}, '"spool.max_age_s"', "from 1 to"),
    ("CX1006", {"environ": {"CXKIT_EXIT_TIMEOUT_S": "inf"}}, '"exit_timeout_s"', "from 0 to"),
    ("CX1006", {"text": "[spool]\nmax_bytes = 5"}, '"spool.segment_bytes"', "spool.max_bytes"),
    ("CX1006", {"text": "durability = 'quue'"}, '"durability" (file cxkit.toml)', 'did you mean "queue"?'),
    ("CX1006", {"text": "[consent]\nbefore_choice = 'anonymize'"}, '"consent.before_choice"', '"anonymise"'),
    ("CX1006", {"text": "service = 'my shop'"}, '"service" (file cxkit.toml)', "letters"),
    ("CX1006", {"text": "[web]\nexclude = ['ping']"}, '"web.exclude"', "slash"),
    ("CX1006", {"text": "[web]\ncookie_prefix = 'a b'"}, '"web.cookie_prefix"', "letters"),
    ("CX1006", {"text": "[exporters.Big]\ntype = 'x'"}, '"exporters.Big" has a name', "lower-case"),
    ("CX1006", {"text": "[exporters.a]\ntype = 'x'\ndeadline_s = 0"}, '"exporters.a.deadline_s"', "0.001"),
    (
        "CX1006",
        {"environ": {"CXKIT_EXPORTERS__A__TYPE": "x", "CXKIT_EXPORTERS__A__PURPOSES": "necessary,analytic"}},
        '"exporters.a.purposes" (env CXKIT_EXPORTERS__A__PURPOSES)',
        'did you mean "analytics"?',
    ),
    ("CX1007", {"text": "[exporters.a]\nurl = 'x'"}, '"exporters.a.type" is missing', "add type"),
    (
        "CX1008",
        {"environ": {"CXKIT_Strict": "1", "CXKIT_STRICT": "1"}},
        '"strict" (env CXKIT_STRICT)',
        "remove",
    ),
    ("CX1008", {"environ": {"CXKIT_PLUGINS": "a", "CXKIT_PLUGINS__ALLOW": "a"}}, '"plugins.allow"', "remove"),
    (
        "CX1008",
        {"text": "queue = 3", "environ": {"CXKIT_QUEUE__MAX_BYTES": "3"}},
        '"queue" (file cxkit.toml)',
        "form",
    ),
    ("CX1009", {"text": f"{'.'.join('a' * 2_000)} = 1"}, "deep", "flatter"),
    ("CX1009", {"text": f"x = {'[' * 20}{']' * 20}"}, "deep", "flatter"),
    ("CX1009", {"environ": {"CXKIT_" + "__".join("a" * 99): "1"}}, "deep", "flatter"),
    ("CX1009", {"overrides": {"flask": {3: 4}}}, '"flask"', "text"),
    ("CX1009", {"overrides": {"flask": {"x": ({3: 4},)}}}, '"flask.x[0]"', "text"),
    (
        "CX1010",
        {"text": "[keys]\nsigning = ['fifteen letters']"},
        '"keys.signing" (file cxkit.toml)',
        "secrets",
    ),
    ("CX1010", {"environ": {"CXKIT_KEYS__IDENTIFIER": "short"}}, '"keys.identifier" (env ', "secrets"),
    *(
        (code, {"text": f"[web.client_ip]\n{text}"}, f'"web.client_ip.{key}"', fix)
        for code, key, text, fix in [
            ("CX1006", "strategy", "strategy = 'cloudflair'", 'did you mean "cloudflare"?'),
            ("CX1007", "header", "strategy = 'single_header'\ntrusted = ['private']", "X-Real-IP"),
            ("CX1006", "header", "strategy = 'single_header'\nheader = 'X_Real_IP'\ntrusted = ['private']", "letters"),
            ("CX1007", "hops", "strategy = 'rightmost_trusted_count'\ntrusted = ['private']", "hops = 1"),
            ("CX1006", "hops", "strategy = 'rightmost_trusted_count'\ntrusted = ['private']\nhops = 0", "1 to 32"),
            ("CX1006", "hops", "strategy = 'rightmost_trusted_count'\ntrusted = ['private']\nhops = 33", "1 to 32"),
            ("CX1007", "trusted", "strategy = 'rightmost_trusted_range'", "10.0.0.0/8"),
            ("CX1007", "trusted", "strategy = 'fly'\ntrusted = []", "10.0.0.0/8"),
            *(
                ("CX1006", "trusted", f"strategy = 'fly'\ntrusted = ['127.0.0.1', {one!r}]", "never all")
                for one in (
                    "*",
                    "",
                    "all",
                    "PRIVATE",
                    "10.0.0.1/8",
                    "10.0.0.0/33",
                    "10.0.0.0/7",
                    "0.0.0.0/0",
                    "::/0",
                    "2000::/3",
                    "::ffff:0:0/96",
                    "::ffff:0:0/95",
                    "fe80::%eth0/64",
                    "proxy.example",
                    "127.1",
                    "10.0.0.0/8,::1",
                )
            ),
            ("CX1011", "trusted", "trusted = ['10.0.0.0/8']", "a strategy that reads trusted"),
            ("CX1011", "header", "strategy = 'fly'\nheader = 'X-Real-IP'\ntrusted = ['private']", "remove it"),
            ("CX1011", "hops", "strategy = 'rightmost_trusted_range'\nhops = 2\ntrusted = ['private']", "remove it"),
        ]
    ),
]


@pytest.mark.parametrize(("code", "given", "what", "fix"), REFUSED)
def test_what_is_refused_is_named_with_its_origin_and_a_fix(
    write: Any, refusal: Any, code: str, given: Any, what: str, fix: str
) -> None:
    write(given.get("text", ""))
    error = refusal(**{key: value for key, value in given.items() if key != "text"})
    assert (error.code, what in error.what, fix in error.fix) == (code, True, True), str(error)


def test_every_code_is_documented_and_tried() -> None:
    documented = re.findall(r"^(CX\d{4})  \S", cxkit.settings.__doc__ or "", re.MULTILINE)
    assert documented == sorted({code for code, *_ in REFUSED})


def test_ranges_hold_in_code_too() -> None:
    for make in (
        lambda: Queue(max_bytes=0),
        lambda: Keys(signing=(Secret("short"),)),
        lambda: Spool(max_age_s=1e300),
    ):
        with pytest.raises(ConfigurationError):
            make()


def test_settings_are_frozen() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        load(environ={}).strict = True  # type: ignore[misc]
    with pytest.raises(TypeError):
        Settings(store=StoreTable(options={"a": 1})).store.options["a"] = 2  # type: ignore[index]
