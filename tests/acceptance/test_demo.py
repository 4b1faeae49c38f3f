"""The demo, as the README's first command runs it."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

from cxkit import Interaction
from cxkit.codec import decode

_ARRIVED = re.compile(r"\d\d:\d\d:\d\d\.\d{3} ")
_EXPORTERS = {"ads": "advertising", "local": "analytics", "receiver": "analytics"}

NINE_STEPS = [
    ("catalogue.searched", "awareness"),
    ("products.compared", "consideration"),
    ("order.placed", "purchase"),
    ("order.rated", "service"),
    ("call.answered", "service"),
    ("order.repeated", "loyalty"),
    ("family.told", "loyalty"),
    ("post.read", "loyalty"),
    ("post.shared", "loyalty"),
]


def payloads(file: Path) -> list[bytes]:
    return file.read_bytes().splitlines()


def account(servers: ModuleType, directory: Path) -> dict[str, Any]:
    """What `cxkit stats` says of the demo's files."""
    found: dict[str, Any] = json.loads(servers.cxkit("stats", "--json", configuration=directory / "cxkit.toml"))
    return found


def arrivals(output: str) -> list[str]:
    """The lines of what arrived while it ran; the journey that is told at the end is another's matter."""
    return [line for line in output.partition("Nancy's journey")[0].splitlines() if _ARRIVED.match(line)]


def local(directory: Path, query: str) -> list[tuple[Any, ...]]:
    """What the local file answers to anybody's SQLite."""
    with closing(sqlite3.connect(directory / ".cxkit" / "local.db")) as connection:
        return connection.execute(query).fetchall()


def test_it_ends_well_and_says_nothing_else(demo: Any) -> None:
    assert demo.ended.returncode == 0, demo.ended.stdout + demo.ended.stderr
    assert demo.ended.stderr == ""
    assert "WRONG" not in demo.ended.stdout
    assert (demo.directory / "shop.out").read_text() == ""


def test_its_account_adds_up_and_tells_the_purposes_apart(demo: Any, servers: ModuleType) -> None:
    found = account(servers, demo.directory)
    exporters = found["exporters"]

    assert {name: {purpose} for name, purpose in _EXPORTERS.items()} == {
        name: set(purposes) for name, purposes in found["configured"].items()
    }
    assert found["captured"] == found["spooled"] + sum(found["dropped"].values())
    assert exporters.keys() == _EXPORTERS.keys()
    for name, one in exporters.items():
        assert found["spooled"] == one["delivered"] + sum(one["dropped"].values()), name
        assert one["pending"] == one["dead"] == one["before"] == 0
        if name != "local":
            assert one["delivered"] == len({decode(one).id for one in payloads(demo.directory / f"{name}.jsonl")})
    assert 0 < exporters["ads"]["delivered"] < exporters["receiver"]["delivered"] < found["spooled"]
    assert exporters["local"] == exporters["receiver"]
    assert local(demo.directory, "SELECT count(*) FROM interactions") == [(exporters["local"]["delivered"],)]


def test_its_account_explains_its_words_and_says_what_each_exporter_is_for(demo: Any, servers: ModuleType) -> None:
    printed = demo.ended.stdout.partition("What became of everything captured")[2]

    for name, purpose in _EXPORTERS.items():
        assert re.search(rf"^{name} \({purpose}\) ", printed, re.MULTILINE)
    reasons = {name for one in account(servers, demo.directory)["exporters"].values() for name in one["dropped"]}
    assert reasons == {"consent"}
    for reason in ("consent", "consent_refused"):
        assert re.search(rf"^ +{reason}: \w+", printed, re.MULTILINE), "in words"


def test_each_arrival_is_one_line_that_names_nobody(demo: Any) -> None:
    lines = arrivals(demo.ended.stdout)
    arrived = [decode(one) for one in payloads(demo.directory / "receiver.jsonl")]

    assert len(lines) == len(arrived)
    assert [line.split()[2] for line in lines] == [one.name for one in arrived]
    for value in {one.value for interaction in arrived for one in interaction.identity.identifiers}:
        assert not any(value in line for line in lines), value
    assert "\033" not in demo.ended.stdout


def test_what_a_browser_objects_to_is_seen(demo: Any) -> None:
    played = demo.ended.stdout.partition("In her own time Nancy opens")[0]
    before, _, gitas = played.partition("Gita's browser sends Sec-GPC: 1")

    assert len(arrivals(gitas)) > 5
    assert all(line.endswith(" advertising, sale_share") for line in arrivals(gitas))
    assert not any("advertising" in line for line in arrivals(before))


def test_nancy_is_recognised_on_the_web_and_on_the_phone(demo: Any) -> None:
    arrived = [decode(one) for one in payloads(demo.directory / "receiver.jsonl")]
    heroes = [one.decision for one in arrived if one.decision and one.decision.experience == "home.hero"]
    assert {one.variant for one in heroes if one.assignment} <= {"everybody", "harvest"}
    shown = ["everybody" if one.assignment else one.variant for one in heroes]  # or what is tested against it

    laptop = ["everybody", "everybody", "gold"]  # unknown, accepted, signed in
    phone, next_visit = ["everybody", "gold", "gold"], ["gold", "gold"]  # she signs in there, and chooses French
    assert shown == [*laptop, *phone, *next_visit, "everybody", "gold"]  # and, at last, Gita, and Nancy once more
    assert "The page says: Heureux de vous revoir\N{NARROW NO-BREAK SPACE}: votre coffret or est offert" in (
        demo.ended.stdout
    )
    assert "The operator's screen says: a gold customer calls about discounts" in demo.ended.stdout
    assert [one.name for one in arrived if one.channel == "phone"] == ["call.answered"]


def test_where_on_what_and_from_where_is_known_and_adapted_to(demo: Any) -> None:
    arrived = [decode(one) for one in payloads(demo.directory / "receiver.jsonl")]
    placed = [one.context for one in arrived if one.context.place and one.context.device]
    came = [one.context.acquisition for one in arrived if one.name == "page.viewed" and one.context.acquisition]
    shown = [(one.context, one.decision.experience, one.decision.variant) for one in arrived if one.decision]

    assert {one.place.country for one in placed} == {"FR", "CA", "IN"}, "Otto, in Germany, refused"
    assert {(one.medium, one.source) for one in came if one.source} == {
        ("search", "google"),
        ("email", "newsletter"),
        ("email", "birthday"),
        ("social", "instagram"),
    }
    by_country = {(at.place.country, how) for at, what, how in shown if what == "sweet.delivery"}
    assert by_country == {("FR", "france"), ("CA", "world"), ("IN", "world")}
    by_device = {(at.device.type, how) for at, what, how in shown if what == "home.shelf"}
    assert by_device == {("desktop", "wide"), ("phone", "narrow"), ("phone", "narrow, fruit first")}
    assert "90.0.0" not in (demo.directory / "receiver.jsonl").read_text()


def test_her_nine_steps_are_one_persons_in_order(demo: Any) -> None:
    found = local(
        demo.directory,
        "SELECT name, stage, subject_id FROM events"
        " WHERE subject_id = (SELECT subject_id FROM events WHERE name = 'order.rated') ORDER BY ts_ms, event_id",
    )
    steps = iter([(name, stage) for name, stage, _ in found])

    assert [step for step in NINE_STEPS if step in steps] == NINE_STEPS


def test_she_came_with_two_devices_and_the_phone(demo: Any) -> None:
    def hers() -> Iterator[dict[str, str]]:
        for (payload,) in local(
            demo.directory,
            "SELECT i.payload FROM interactions AS i JOIN events AS e ON e.event_id = i.id"
            " WHERE e.subject_id = (SELECT subject_id FROM events WHERE name = 'order.rated')",
        ):
            identity = json.loads(payload)["data"].get("identity", {"identifiers": []})
            yield {one["type"]: one["value"] for one in identity["identifiers"]}

    seen = list(hers())
    assert len({one["visitor"] for one in seen if "visitor" in one}) == 2
    assert {one["user_id"] for one in seen if "user_id" in one} == {"nancy"}
    assert len({one["phone"] for one in seen if "phone" in one}) == 1
    assert {"phone"} in [set(one) for one in seen], "the call, of which only the number is known"


def test_her_letters_go_over_smtp_and_who_came_to_them_is_told_apart(demo: Any) -> None:
    arrived = [decode(one) for one in payloads(demo.directory / "receiver.jsonl")]
    told = [one for one in arrived if one.name.startswith("message.")]
    judged = [(one.name, one.properties["by"], one.properties["reasons"][0]) for one in told if "by" in one.properties]

    assert [one.properties["topic"] for one in told if one.name == "message.sent"] == [
        "receipt", "receipt", "birthday", "receipt",
    ]  # fmt: skip
    assert judged == [
        ("message.opened", "machine", "apple_mpp_like"),
        *[("message.clicked", "machine", "honeypot")] * 3,
        ("message.opened", "proxy", "proxy_gmail"),
        ("message.clicked", "human", "browser"),
    ]
    assert {one.identity.get("email") is None for one in told if one.properties.get("by") == "machine"} == {True}
    (landed,) = [one for one in arrived if _by_token(one)]
    assert (landed.name, landed.context.page.route) == ("page.viewed", "/sweets")
    assert [(one.type, one.evidence) for one in landed.identity.identifiers] == [
        ("visitor", "cookie"),
        ("email", "token"),
    ]
    assert demo.ended.stdout.count("\nby SMTP ") == 4
    assert "It was told: send:marketing:opted_out:email" in demo.ended.stdout


def _by_token(one: Interaction) -> bool:
    return one.channel == "web" and "token" in {known.evidence for known in one.identity.identifiers}


def test_her_case_goes_from_the_web_to_the_phone(demo: Any) -> None:
    arrived = [decode(one) for one in payloads(demo.directory / "receiver.jsonl")]
    cases = {one.name: one.case for one in arrived if one.case}

    (written, called), later = [cases[name] for name in ("support.requested", "call.answered")], cases
    assert later.keys() == {"support.requested", "call.answered"}
    assert called == next(one.case for one in arrived if one.name == "support.requested")
    assert written != called, "Gita's question is a case of its own"


def test_it_tells_where_the_local_file_is_and_her_journey(demo: Any) -> None:
    assert f"{demo.directory}/.cxkit/local.db" in demo.ended.stdout
    journey = demo.ended.stdout.partition("Nancy's journey")[2].partition("What became of")[0]
    places = [journey.find(name) for name, _ in NINE_STEPS]
    assert -1 not in places
    assert places == sorted(places)


def test_you_may_be_the_visitor_and_leave_with_ctrl_c(
    examples: Path, visitors: ModuleType, servers: ModuleType, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "examples.candy_haven.demo", "--browse", "--seconds", "100", "--keep", tmp_path]
    with subprocess.Popen(command, cwd=examples, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        address = next(line for line in running.stdout if "The shop is at" in line).split()[-1]
        visitors.Browser(address).open("/sweets/ALM-100")
        arrived = next(line for line in running.stdout if "product.viewed" in line)
        running.send_signal(signal.SIGINT)
        rest = running.stdout.read()

    assert _ARRIVED.match(arrived)
    assert running.returncode == 0, rest
    assert account(servers, tmp_path)["exporters"]["receiver"]["delivered"] == 4
    assert "the account adds up" in rest
    assert "Traceback" not in rest


def test_what_is_wrong_is_said_and_ends_badly(examples: Path, tmp_path: Path) -> None:
    (tmp_path / ".cxkit").write_text("in the way")
    command = [sys.executable, "-m", "examples.candy_haven.demo", "--keep", str(tmp_path)]

    ended = subprocess.run(command, cwd=examples, capture_output=True, text=True, timeout=120, check=False)

    assert ended.returncode == 1
    assert "WRONG: " in ended.stdout
    assert "Traceback" not in ended.stderr
