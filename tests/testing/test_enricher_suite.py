"""The suite for enrichers, judged: one that keeps the rules passes, and each that breaks one fails where it should."""

from __future__ import annotations

import itertools
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from cxkit.model import Context, Device, Facts
from cxkit.testing.enricher_suite import EnricherSuite, request


def some() -> tuple[Facts, ...]:
    """Made anew, as one mutant changes what it is given."""
    agent = {"user-agent": "Seeker/1.0 (phone; build 4711)", "sec-ch-ua-mobile": "?1"}
    return (
        request(headers=agent, client_ip="192.0.2.9"),
        request(headers={"user-agent": "Seeker/1.0 (desk; build 4712)"}, query="utm_source=news"),
    )


def right(facts: Facts, context: Context) -> dict[str, object]:
    """Says what a phone is, by its hint."""
    return {"device": Device(type="phone" if facts.headers.get("sec-ch-ua-mobile") == "?1" else "desktop")}


def heeding(answer: Callable[[Facts, Context], Any]) -> Callable[[Facts, Context], Any]:
    """It says nothing of what is known."""

    def heeds(facts: Facts, context: Context) -> Any:
        return {name: value for name, value in answer(facts, context).items() if getattr(context, name, None) is None}

    return heeds


def made(answer: Callable[[Facts, Context], Mapping[str, object]]) -> Any:
    """An enricher that answers so."""
    return type("Made", (), {"enrich": lambda self, facts, context: answer(facts, context)})()


class TestRight(EnricherSuite):
    requests = some()

    def enricher(self) -> Any:
        return made(heeding(right))


def raises(facts: Facts, context: Context) -> Any:
    if len(facts.headers.get("user-agent", "")) > 1_000:
        raise ValueError
    return right(facts, context)


def clears(facts: Facts, context: Context) -> Any:
    facts.headers.clear()  # type: ignore[attr-defined]
    return {"device": Device(type="phone")}


def asks(facts: Facts, context: Context) -> Any:
    with socket.socket() as asked:
        asked.connect_ex(("127.0.0.1", 9))
    return right(facts, context)


def reads(facts: Facts, context: Context) -> Any:
    return {"device": Device(type=Path(__file__).read_text("utf-8")[:3])}


def sleeps(facts: Facts, context: Context) -> Any:
    time.sleep(0.0)
    return right(facts, context)


def toils(facts: Facts, context: Context) -> Any:
    if len(facts.headers.get("user-agent", "")) > 100_000:
        until = time.thread_time() + 0.006
        while time.thread_time() < until:
            pass
    return right(facts, context)


def hands_on(what: Callable[[Facts], str | None]) -> Callable[[Facts, Context], Any]:
    """Says what it was told, where that would pass for something."""

    def says(facts: Facts, context: Context) -> Any:
        told = what(facts) or "none"
        return {"device": Device(type=told if told.isascii() and told.isprintable() and len(told) < 99 else "none")}

    return says


numbers = itertools.count()

MUTANTS: dict[str, tuple[Callable[[Facts, Context], Any], str]] = {
    "says nothing": (lambda facts, context: {}, "it_has_something_to_say"),
    "says what is no context": (heeding(lambda facts, context: {"device": "phone"}), "what_it_says_can_be_kept"),
    "knows no field": (lambda facts, context: {"gadget": 1}, "what_it_says_can_be_kept"),
    "raises": (heeding(raises), "it_never_raises"),
    "overwrites": (right, "it_overwrites_nothing"),
    "empties the headers": (heeding(clears), "it_changes_nothing_that_it_is_given"),
    "counts": (
        heeding(lambda facts, context: {"device": Device(type=str(next(numbers)))}),
        "the_same_request_says_the_same",
    ),
    "toils": (heeding(toils), "it_keeps_its_budget"),
    "sleeps": (heeding(sleeps), "it_reaches_for_nothing_once_it_is_built"),
    "opens a socket": (heeding(asks), "it_reaches_for_nothing_once_it_is_built"),
    "reads a file": (heeding(reads), "it_reaches_for_nothing_once_it_is_built"),
    "hands on the user agent": (
        heeding(hands_on(lambda facts: facts.headers.get("user-agent"))),
        "nothing_of_the_request_itself_leaves_it",
    ),
    "hands on the address": (
        heeding(hands_on(lambda facts: facts.client_ip)),
        "nothing_of_the_request_itself_leaves_it",
    ),
    "hands on the query": (heeding(hands_on(lambda facts: facts.query)), "nothing_of_the_request_itself_leaves_it"),
}
if sys.version_info < (3, 13):  # only later ones tell of it
    del MUTANTS["sleeps"]
CHECKS = [name.removeprefix("test_") for name in vars(EnricherSuite) if name.startswith("test_")]


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_caught_by_the_check_that_is_meant_for_it_and_by_no_other(name: str) -> None:
    answer, killer = MUTANTS[name]
    failed = []
    for check in CHECKS:

        class Mutant(EnricherSuite):
            requests = some()

            def enricher(self) -> Any:
                return made(answer)

        try:
            getattr(Mutant(), f"test_{check}")()
        except (AssertionError, pytest.fail.Exception):
            failed.append(check)
    assert failed == [killer]


def test_each_check_has_a_mutant() -> None:
    assert {killer for _, killer in MUTANTS.values()} == {*CHECKS}
