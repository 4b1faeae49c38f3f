"""First answers: their forms agree, say what they mean and who is not in them, and hurt nobody who opens them."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import attrs
import pytest
from click.testing import CliRunner

from cxkit.cli import cli
from cxkit.codec import encode
from cxkit.errors import LocalFileError
from cxkit.exporters.local import LocalExporter, Settings
from cxkit.model import Context, Device, Feedback, Identifier, Identity, Interaction, Page
from cxkit.roles import Batch
from cxkit.rules.measure import bounce, feedback, funnel, journeys, stages

BEGAN = datetime.now(UTC).replace(hour=10, minute=0, second=0, microsecond=0) - timedelta(days=3)
DAY, NEXT = (f"{BEGAN + timedelta(days=more):%Y-%m-%d}" for more in (0, 1))
HOSTILE = "=cmd|' /C calc'!A0\x1b[31m\u202e</title><script>alert(1)</script>"
NAMING = [
    ("bounce", bounce.DEFINITION),
    ("journeys", journeys.DEFINITION),
    ("stages", stages.DEFINITION),
    ("voice", feedback.DEFINITION),
]
VERBS = pytest.mark.parametrize(("verb", "definition"), NAMING)
ALL = pytest.mark.parametrize(
    ("verb", "definition"), [*NAMING, ("funnel --steps /,cart.item_added,order.paid", funnel.DEFINITION)]
)
"""With the one whose answer names nothing but what it was asked for."""


@pytest.fixture
def holding(tmp_path: Path) -> Callable[..., Path]:
    """Writes interactions into a local file as its exporter does."""

    def write(*interactions: Interaction) -> Path:
        path = tmp_path / "here.db"
        batch = Batch("1", tuple(map(encode, interactions)))
        assert LocalExporter(Settings(path=path)).export(batch, deadline_s=10.0).verdict == "delivered"
        return path

    return write


def met(
    number: int, name: str = "page.viewed", *, kind: Any = "view", after: int = 0, **circumstances: Any
) -> Interaction:
    """One interaction, so many seconds after the beginning, in its own session unless told otherwise."""
    who = Identifier(type="user_id", value=circumstances.pop("who", f"u{number}"), evidence="login")
    said = circumstances.pop("feedback", None)
    stage, consent = circumstances.pop("stage", None), circumstances.pop("consent", {"analytics": True})
    return Interaction(
        id=f"{number:03}",
        occurred_at=BEGAN + timedelta(seconds=after),
        name=name,
        source="/shop",
        kind=kind,
        stage=stage,
        consent=consent,
        feedback=said,
        identity=Identity(identifiers=(who,)),
        context=Context(**{"session": f"s{number}", "actor": "human"} | circumstances),
    )


def moved(one: Interaction, by: int) -> Interaction:
    """The same, told apart by its id."""
    return attrs.evolve(one, id=f"{int(one.id) + by:03}")


def looked(ms: int) -> Page:
    return Page(route="/", engaged_ms=ms)


PHONE, DESKTOP = Device(type="phone"), Device(type="desktop")
VISITS = [
    met(1, device=PHONE, page=looked(100)),
    met(2, device=PHONE, page=looked(20_000)),
    met(3, device=PHONE, page=looked(20_000)),
    met(4, device=DESKTOP),
    met(5, device=PHONE, page=looked(100), actor="bot"),
    met(6, device=PHONE, page=looked(100), consent={"analytics": False}),
]
WALKS = [
    met(1, page=Page(route="/"), session="a"),
    met(2, "cart.item_added", kind="action", session="a", after=60),
    met(3, page=Page(route="/"), session="b"),
]
LIFE = [
    met(1, "ad.seen", kind="action", who="nancy", stage="awareness"),
    met(2, "order.paid", kind="transaction", who="nancy", stage="purchase", after=90_000),
    met(3, "page.viewed", who="nancy", after=90_001),
]
SAID = [
    met(1, page=Page(route="/cart"), session="a"),
    met(2, "survey.answered", kind="feedback", session="a", after=5, feedback=Feedback(scale="nps", score=10)),
    met(3, "survey.answered", kind="feedback", session="a", after=6, feedback=Feedback(scale="nps", score=2)),
    met(4, "survey.answered", kind="feedback", session="b", after=7, feedback=Feedback(scale="csat", score=5)),
    met(5, "survey.answered", kind="feedback", session="a", actor="bot", feedback=Feedback(scale="nps", score=2)),
]


def run(*arguments: object) -> Any:
    verb, *others = arguments
    result = CliRunner().invoke(cli, ["insights", *str(verb).split(), *map(str, others)], env={"COLUMNS": "200"})
    if isinstance(result.exception, Exception):
        raise result.exception
    return result


def test_bounce_as_a_table(holding: Callable[..., Path]) -> None:
    lines = run("bounce", "--file", holding(*VISITS)).stdout.splitlines()
    assert lines[:6] == [
        "device   bounce rate  bounced  engaged  unknown",
        "desktop         -           0        0        1",
        "phone      33.3 %           1        2        0",
        "all        33.3 %           1        2        1",
        "",
        "1 unknown: one view, and no beacon that measured whether it was looked at.",
    ]
    assert lines[6] == "Left out of 6 contacts: 1 by bots, 1 by persons who refuse analytics."


def test_journeys_as_a_table(holding: Callable[..., Path]) -> None:
    lines = run("journeys", "--file", holding(*WALKS)).stdout.splitlines()
    assert lines[:9] == [
        "step  from             to               sessions",
        "   1  /                (end)                   1",
        "   1  /                cart.item_added         1",
        "   2  cart.item_added  (end)                   1",
        "",
        "sessions  path",
        "       1  / > (end)",
        "       1  / > cart.item_added > (end)",
        "",
    ]


def test_stages_as_a_table(holding: Callable[..., Path]) -> None:
    lines = run("stages", "--file", holding(*LIFE)).stdout.splitlines()
    assert lines[:4] == [
        "from       to        moves  persons  median dwell",
        "awareness  purchase      1        1  1 d 1 h",
        "",
        "Left out of 3 contacts: 1 without a stage.",
    ]


def test_the_voice_as_a_table(holding: Callable[..., Path]) -> None:
    lines = run("voice", "--file", holding(*SAID)).stdout.splitlines()
    assert lines[:6] == [
        "scale  touchpoint  value     95 % interval      answers",
        "csat   -            100.0 %  20.7 % to 100.0 %        1",
        "nps    /cart           +0.0  -100.0 to +100.0         2",
        "",
        "Left out of 5 contacts: 1 by bots.",
        "",
    ]


@ALL
def test_all_forms_hold_the_same_and_its_definition(
    verb: str, definition: str, holding: Callable[..., Path], tmp_path: Path
) -> None:
    path = holding(*VISITS, *[moved(one, 100) for one in (*WALKS, *LIFE)], *[moved(one, 200) for one in SAID])
    table = run(verb, "--file", path).stdout
    told = json.loads(run(verb, "--file", path, "--json").stdout)
    assert run(verb, "--file", path, "--format", "json").stdout == run(verb, "--file", path, "--json").stdout
    commas, picture = (run(verb, "--file", path, "--format", form) for form in ("csv", "svg"))
    rows = told["edges" if verb == "journeys" else "rows"]
    assert list(csv.DictReader(io.StringIO(commas.stdout))) == [
        {name: "" if value is None else str(value) for name, value in row.items()} for row in rows
    ]
    root = ElementTree.fromstring(picture.stdout)
    twin = next(one.text for one in root if one.tag.endswith("desc"))
    assert twin is not None
    assert table.startswith(twin)
    assert commas.stderr == picture.stderr == table
    assert told["definition"] == definition
    assert definition in " ".join(table.split())
    shown = [one.text or "" for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert definition in " ".join(shown)
    assert told["left_out"]["bots"] == 2


@ALL
def test_an_answer_goes_to_a_file_and_its_table_to_the_terminal(
    verb: str, definition: str, holding: Callable[..., Path], tmp_path: Path
) -> None:
    path, picture = holding(*VISITS), tmp_path / "picture.svg"
    result = run(verb, "--file", path, "--format", "svg", "-o", picture)
    assert result.stdout == run(verb, "--file", path).stdout
    assert result.stderr == f"Written to {picture}\n"
    assert picture.read_text("utf-8") == run(verb, "--file", path, "--format", "svg").stdout


BOUGHT = [
    *[met(number, page=Page(route="/"), who=f"u{number}", after=number) for number in (1, 2, 3)],
    met(11, "cart.item_added", kind="action", who="u1", after=61),
    met(12, "order.paid", kind="transaction", who="u1", after=7261),
    met(13, "cart.item_added", kind="action", who="u2", after=32),
    met(14, "cart.item_added", kind="action", who="u9", actor="bot"),
]


def test_the_funnel_as_a_table(holding: Callable[..., Path]) -> None:
    lines = run("funnel", "--steps", "/, cart.item_added, order.paid", "--file", holding(*BOUGHT)).stdout.splitlines()
    assert lines[:7] == [
        "step  name             reached  of all   persons  ended  median time",
        "   1  /                      3  100.0 %        3      1  30 s",
        "   2  cart.item_added        2   66.7 %        2      1  2 h 0 min",
        "   3  order.paid             1   33.3 %        1      1  -",
        "",
        "A pause of 7 d 0 h ends a run.",
        "Left out of 7 contacts: 1 by bots.",
    ]


def test_the_funnel_of_a_journey_that_is_configured_or_declared(
    holding: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = holding(*BOUGHT)
    (tmp_path / "cxkit.toml").write_text(
        "[journeys.buying]\nsteps = ['/', 'bought']\nends_after_s = 3600\nplaces = { bought = ['order.paid'] }\n"
    )
    (tmp_path / "funnel_shop.py").write_text(
        "import cxkit\ncxkit.journey('adding', steps=['/', 'cart.item_added'])\n", "utf-8"
    )
    told = json.loads(run("funnel", "--journey", "buying", "--file", path, "--json").stdout)
    assert told["asked"] | {"since_day": 0, "until_day": 0} == {
        "journey": "buying", "steps": ["/", "bought"], "window_s": 3600.0, "since_day": 0, "until_day": 0,
    }  # fmt: skip
    assert [row["reached"] for row in told["rows"]] == [4, 1]  # whoever paid had paused for too long
    declared = json.loads(run("funnel", "--journey", "adding", "funnel_shop", "--file", path, "--json").stdout)
    assert [row["reached_per_mille"] for row in declared["rows"]] == [1000, 667]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "either --journey or --steps"),
        (["--journey", "a", "--steps", "a.b,c.d"], "either --journey or --steps"),
        (["--journey", HOSTILE], "there is no journey"),
        (["--steps", "a.b"], "too few or too many"),
        (["--steps", f"a.b,{HOSTILE}"], "that are no places"),
        (["--journey", "a", "no_such_module"], "cannot be imported"),
    ],
)
def test_a_funnel_of_nothing_is_refused(arguments: list[str], said: str, holding: Callable[..., Path]) -> None:
    result = run("funnel", *arguments, "--file", holding(*BOUGHT))
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.replace("\n", "").isprintable()


@VERBS
@pytest.mark.parametrize("form", ["table", "json", "csv", "svg"])
def test_names_from_elsewhere_do_nothing(verb: str, definition: str, form: str, holding: Callable[..., Path]) -> None:
    events = [met(number, kind="action", stage="purchase", session="a", who="nancy", after=number) for number in (1, 3)]
    path = holding(*events, met(2, kind="feedback", session="a", after=2, feedback=Feedback(scale="ces", score=7)))
    with closing(sqlite3.connect(path)) as connection, connection:  # somebody else may have written it
        connection.execute(
            "UPDATE interactions SET name = $h, stage = $h, device = $h WHERE id = '001'", {"h": HOSTILE}
        )
    result = run(verb, "--file", path, "--format", form)
    for stream in (result.stdout, result.stderr):
        assert stream.replace("\n", "").replace("\r", "").isprintable()
        assert "cmd|" in stream or stream == ""
    if form == "svg":
        assert "<script" not in result.stdout
        ElementTree.fromstring(result.stdout)
    if form == "csv":
        cells = [cell for row in csv.reader(io.StringIO(result.stdout)) for cell in row]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


@VERBS
def test_bytes_that_are_no_text_are_shown_all_the_same(
    verb: str, definition: str, holding: Callable[..., Path]
) -> None:
    said = met(7, kind="feedback", session="s1", after=1, feedback=Feedback(scale="ces", score=7))
    path = holding(*VISITS, said, *[moved(one, 100) for one in LIFE])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE interactions SET name = CAST(x'ff41' AS TEXT) WHERE id < '102'")
        connection.execute("UPDATE interactions SET device = name, stage = name WHERE id < '102'")
    assert "\ufffdA" in run(verb, "--file", path).stdout


def test_days_are_both_included(holding: Callable[..., Path]) -> None:
    path = holding(met(1, page=looked(100)), met(2, page=looked(100), after=86_400))

    def sessions(*days: str) -> int:
        return sum(row["bounced"] for row in json.loads(run("bounce", "--file", path, "--json", *days).stdout)["rows"])

    assert sessions() == 2
    assert sessions("--since", DAY, "--until", NEXT) == 2
    assert sessions("--until", DAY) == sessions("--since", NEXT) == 1
    assert sessions("--since", "2001-01-01", "--until", "2001-12-31") == 0


def test_bounce_by_what_is_asked(holding: Callable[..., Path]) -> None:
    path = holding(*VISITS)
    labels = {
        by: [row["label"] for row in json.loads(run("bounce", "--file", path, "--by", by, "--json").stdout)["rows"]]
        for by in bounce.DIMENSIONS
    }
    assert labels == {
        "device": ["desktop", "phone"],
        "channel": [None],
        "country": [None],
        "entry": ["/", "page.viewed"],
    }


def test_journeys_are_looked_at_as_is_asked(holding: Callable[..., Path]) -> None:
    path = holding(*WALKS)
    told = json.loads(run("journeys", "--file", path, "--depth", 1, "--top", 1, "--paths", 1, "--json").stdout)
    assert told["asked"] == {
        "depth": 1, "top": 1, "paths": 1, "collapse": 0, "since_day": None, "until_day": None
    }  # fmt: skip
    assert told["edges"] == [
        {"step": 1, "from": "/", "to": "(end)", "sessions": 1},
        {"step": 1, "from": "/", "to": "(other)", "sessions": 1},
    ]
    assert told["paths"] == [{"steps": ["/"], "ended": True, "sessions": 1}]


@ALL
@pytest.mark.parametrize("form", ["table", "json", "csv", "svg"])
def test_an_empty_file_says_what_is_missing(
    verb: str, definition: str, form: str, holding: Callable[..., Path]
) -> None:
    result = run(verb, "--file", holding(), "--format", form)
    assert "cxkit dev -- COMMAND" in result.stdout + result.stderr
    if form == "svg":
        ElementTree.fromstring(result.stdout)


def test_days_without_anything_are_called_so(holding: Callable[..., Path]) -> None:
    assert run("stages", "--file", holding(*LIFE), "--since", "2001-01-01", "--until", "2001-12-31").stdout.startswith(
        "There is no contact in these days.\n"
    )


def test_where_nobody_may_be_recognised_it_says_so(holding: Callable[..., Path]) -> None:
    unknown = [
        Interaction(id=str(number), occurred_at=BEGAN, name="page.viewed", source="/shop", kind="view", stage="service")
        for number in range(3)
    ]
    path = holding(*unknown)
    for verb, missing in [("bounce", "No session"), ("journeys", "No session"), ("stages", "Nobody moved")]:
        assert missing in run(verb, "--file", path).stdout
    assert "3 without a session" in run("bounce", "--file", path).stdout
    assert "3 of nobody known" in run("stages", "--file", path).stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--since", "2026-02-30"], "2026-02-30"),
        (["--since", "2026-03-02", "--until", "2026-03-01"], "--since is after --until"),
        (["--by", "weather"], "weather"),
        (["--format", "pdf"], "pdf"),
        (["--output", "."], "directory"),
    ],
)
def test_what_cannot_be_asked_is_refused(arguments: list[str], said: str, holding: Callable[..., Path]) -> None:
    result = run("bounce", "--file", holding(*VISITS), *arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_file_that_cannot_be_written_is_one_line(holding: Callable[..., Path], tmp_path: Path) -> None:
    result = run("bounce", "--file", holding(*VISITS), "-o", tmp_path / "no" / "such" / "file")
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert "No such file or directory" in result.stderr


def test_without_a_local_file_it_says_how_to_get_one() -> None:
    with pytest.raises(LocalFileError) as missing:
        run("bounce")
    assert missing.value.code == "CX6101"
