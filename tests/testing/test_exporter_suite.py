"""The exporter suite: what passes it, that each mutant dies of its check, what authors are told."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

from cxkit.exporters import file
from cxkit.roles import Batch, Factory, Outcome
from cxkit.testing.exporter_mutants import (
    MUTANTS,
    REFERENCE,
    CounterBackend,
    CounterExporter,
    Mutant,
    Settings,
)
from cxkit.testing.exporter_suite import (
    Backend,
    Fault,
    LocalBackend,
    ProxiedBackend,
    Received,
    checks,
    exporter_suite,
)
from cxkit.testing.exporter_suite.runner import failures

NETWORK = {"refuse", "hang", "drip", "reset", "cut"}


class BehindAProxy(ProxiedBackend):
    """The counter as if it were somebody else's server: the proxy plays what the network does."""

    fields = CounterBackend.fields
    patience_s = 0.5

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.counter = CounterBackend(directory)

    def start(self) -> None:
        self.counter.start()
        self.front("127.0.0.1", self.counter.receiver.port)

    def stop(self) -> None:
        super().stop()
        self.counter.stop()

    def settings(self) -> Mapping[str, Any]:
        return {"url": f"http://cx:{self.secret}@127.0.0.1:{self.port}/"}

    def read_back(self) -> Sequence[Received]:
        return self.counter.read_back()

    def play(self, fault: Fault) -> None:
        self.heal()
        (super() if fault.name in NETWORK else self.counter).play(fault)

    def heal(self) -> None:
        super().heal()
        self.counter.heal()


TestReference = exporter_suite(REFERENCE, backend=CounterBackend)
TestReferenceBehindAProxy = exporter_suite(REFERENCE, backend=BehindAProxy)


def first_failure(factory: Factory[Any], backend: type[Backend], check: str, directory: Path) -> str | None:
    return next(failures(exporter_suite(factory, backend=backend), check, directory=directory), None)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: f"{one.name}-{one.dies_of}")
def test_each_mutant_dies_of_its_check(mutant: Mutant, tmp_path: Path) -> None:
    assert first_failure(mutant.factory, CounterBackend, mutant.dies_of, tmp_path) is not None


@pytest.mark.parametrize(
    "name",
    [
        "SwallowsNetworkErrors",
        "NeverForgives",
        "SleepsThroughTheDeadline",
        "WaitsForEachByte",
        "NeverHangsUp",
        "SharesASocketOverAFork",
    ],
)
def test_mutants_die_behind_a_proxy_too(name: str, tmp_path: Path) -> None:
    mutant = next(one for one in MUTANTS if one.name == name)
    assert first_failure(mutant.factory, BehindAProxy, mutant.dies_of, tmp_path) is not None


def test_each_check_has_a_mutant_and_says_what_it_is_for() -> None:
    assert {one.dies_of for one in MUTANTS} == set(checks())
    assert all(checks().values())


def test_the_page_lists_every_check() -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "write-an-exporter.md"
    assert set(re.findall(r"`(test_\w+)`", page.read_text("utf-8"))) == {*checks()}


# --- what an author is told -----------------------------------------------------------------------


def test_read_back_cannot_be_left_out() -> None:
    class Nameless(LocalBackend):
        pass

    with pytest.raises(TypeError, match="Nameless leaves out read_back, settings: without it nobody knows"):
        exporter_suite(REFERENCE, backend=Nameless)


def test_of_a_file_in_which_nothing_is_found_its_author_hears_at_once(tmp_path: Path) -> None:
    asked: list[Path] = []

    class Elsewhere(LocalBackend):
        def settings(self) -> Mapping[str, Any]:
            return {"path": str(self.directory / "interactions.jsonl")}

        def read_back(self) -> Sequence[Received]:
            asked.append(self.directory)
            return []

    told = first_failure(file.FACTORY, Elsewhere, "test_delivers_all", tmp_path)
    assert told is not None
    assert re.search(r"Elsewhere.read_back gave nothing .+ or read_back does not look where it is", told)
    assert len(asked) == 1, "a file needs no patience"


@pytest.mark.parametrize(
    ("skips", "told"),
    [
        ({"test_delivers_al": "typing is hard"}, "no check is called so; there are: .*test_delivers_all"),
        ({"test_delivers_all": " "}, "no reason for test_delivers_all"),
    ],
)
def test_skips_are_of_known_checks_and_have_reasons(skips: dict[str, str], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        exporter_suite(REFERENCE, backend=CounterBackend, skips=skips)


def test_a_skip_shows_its_reason(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "from cxkit.testing.exporter_mutants import REFERENCE, CounterBackend\n"
        "from cxkit.testing.exporter_suite import exporter_suite\n"
        "TestCounter = exporter_suite(REFERENCE, backend=CounterBackend, skips={'test_tries_once': 'it is late'})\n"
    )
    command = [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", "-k", "tries_once", "test_it.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
    assert "it is late" in done.stdout
    assert "1 skipped" in done.stdout


class Silent(CounterBackend):
    """Plays nothing."""

    def play(self, fault: Fault) -> None:
        raise NotImplementedError("not today")


class Secretless(CounterBackend):
    def settings(self) -> Mapping[str, Any]:
        return {"url": self.url.replace(f"cx:{self.secret}@", "")}


class Fieldless(CounterBackend):
    fields = ()


class Blind(CounterBackend):
    def traffic(self) -> Any:
        return attrs.evolve(super().traffic(), requests=None, open=None)


@pytest.mark.parametrize(
    ("backend", "check", "told"),
    [
        (Silent, "test_a_hang_is_bounded", 'does not play "hang" (not today). Override Silent.play, or skip'),
        (Silent, "test_poison_is_isolated", 'does not play "poison"'),
        (Silent, "test_what_is_withdrawn_meanwhile_is_not_sent", 'does not play "refuse"'),
        (Secretless, "test_secrets_stay_secret", "Secretless.settings() does not use self.secret"),
        (Fieldless, "test_fields_arrive_as_they_were", "Fieldless.fields is empty"),
        (Blind, "test_tries_once", "does not know `requests`"),
        (Blind, "test_close_gives_up_what_is_open", "does not know `open`"),
    ],
)
def test_what_a_backend_cannot_do_is_no_quiet_skip(
    backend: type[Backend], check: str, told: str, tmp_path: Path
) -> None:
    assert told in (first_failure(REFERENCE, backend, check, tmp_path) or "")


def test_the_protocol_without_partial_answers(tmp_path: Path) -> None:
    class AllOrNothing(CounterBackend):
        def partial(self, request: Any, refused: Any, again: Any) -> Any:
            raise NotImplementedError("all or nothing")

    told = first_failure(REFERENCE, AllOrNothing, "test_partial_acceptance_is_exact", tmp_path)
    assert 'does not play "partial" (all or nothing)' in (told or "")


def test_what_a_factory_is_not(tmp_path: Path) -> None:
    shouting = Factory[Any](name="COUNTER", settings=Settings, build=CounterExporter)
    assert "lower-case name" in (first_failure(shouting, CounterBackend, "test_fills_the_role", tmp_path) or "")


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (None, "returned NoneType"),
        (Outcome.retry("Not A Word"), "no lower-case word"),
        (Outcome.retry(""), "no lower-case word"),
        (Outcome.retry("late", retry_after_s=-1.0), "retry_after_s is -1.0"),
        (Outcome.retry("late", retry_after_s=float("inf")), "retry_after_s is inf"),
        (Outcome.reject({25: "bad"}), "names [25], and the batch has 20"),
        (Outcome.reject({1: "bad"}, again=[1]), "both rejected and tried again"),
        (Outcome(verdict="delivered", rejected={1: "bad"}), "only `reject` names single ones"),
    ],
)
def test_an_outcome_must_make_sense(outcome: Any, told: str, tmp_path: Path) -> None:
    class Odd(CounterExporter):
        def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
            return outcome  # type: ignore[no-any-return]

    factory = Factory[Any](name="counter", settings=Settings, build=Odd)
    assert told in (first_failure(factory, CounterBackend, "test_delivers_all", tmp_path) or "")


def test_what_is_overheard_is_put_back() -> None:
    from cxkit.testing.exporter_suite.privacy import overheard

    loud, quiet = logging.getLogger("cxkit.testing.loud"), logging.getLogger("cxkit.testing.quiet")
    quiet.propagate, quiet.disabled = False, True
    before = [(one.level, one.disabled, list(one.handlers)) for one in (logging.getLogger(), loud, quiet)]
    with overheard() as heard:
        loud.debug("a %s word", "whispered")
        quiet.debug("from behind a door")
        print("on paper")  # noqa: T201 - that is what is overheard
    assert "whispered" in heard()
    assert "from behind a door" in heard()
    assert "on paper" in heard()
    assert [(one.level, one.disabled, list(one.handlers)) for one in (logging.getLogger(), loud, quiet)] == before


def test_a_hand_leaves_behind_what_hangs() -> None:
    from cxkit.testing.exporter_suite.bench import Hand

    hand, over = Hand(), threading.Event()
    assert hand.do(lambda: 7, within_s=5) == 7
    with pytest.raises(ZeroDivisionError):
        hand.do(lambda: 1 // 0, within_s=5)
    with pytest.raises(TimeoutError):
        hand.do(over.wait, within_s=0.01)
    over.set()
    hand.rest()
