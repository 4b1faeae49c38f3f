"""The recorder: the default kit for a test, readable, strict, and gone afterwards."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import cxkit
from cxkit.kit import default_kit
from cxkit.roles import Batch, Outcome
from cxkit.testing import FakeClock, Recorder, RecordingExporter, recorder
from cxkit.testing.recorder import counting


def test_it_is_the_default_kit_for_its_time(cx: Recorder) -> None:
    before = default_kit()
    with recorder() as record:
        assert default_kit() is record.kit
        assert default_kit() is not before
    assert default_kit() is before


def test_nothing_leaves_the_process_and_no_file_is_made() -> None:
    with recorder():
        cxkit.touchpoint("recorder.seen").capture()
    assert list(Path().iterdir()) == []


def test_it_reads_in_order_during_and_after_its_time() -> None:
    seen = cxkit.touchpoint("recorder.seen")
    other = cxkit.touchpoint("recorder.other")
    with recorder() as record:
        for number in range(3):
            seen.capture(number=number)
        other.capture()
        assert [one.properties["number"] for one in record.named("recorder.seen")] == [0, 1, 2]
        seen.capture(number=3)
    assert len(record.interactions) == 5
    assert record.one("recorder.other").properties == {}


def test_however_many_use_it_first_it_is_one() -> None:
    with recorder() as record, ThreadPoolExecutor(8) as pool:
        together = threading.Barrier(8)

        def kit(number: int) -> object:
            together.wait(20)
            return record.kit if number % 2 else default_kit()

        assert set(pool.map(kit, range(8))) == {record.kit}


def test_one_says_what_there_is_instead() -> None:
    seen = cxkit.touchpoint("recorder.seen")
    with recorder() as record:
        with pytest.raises(AssertionError, match=r"0 interactions of recorder.other .* captured: nothing"):
            record.one("recorder.other")
        seen.capture()
        seen.capture()
        with pytest.raises(AssertionError, match=r"2 interactions of recorder.seen"):
            record.one("recorder.seen")
        with pytest.raises(AssertionError, match=r"recorder.seen"):
            record.one("recorder.other")


def test_it_records_whatever_the_purpose_once_that_is_allowed() -> None:
    ads = cxkit.touchpoint("recorder.ads", purpose="advertising")
    with recorder() as record, cxkit.scope(user_id="nancy", evidence="login"):
        cxkit.grant("advertising")
        ads.capture()
        assert record.one("recorder.ads").identity.get("user_id") is not None


def test_it_is_strict_unless_told_otherwise() -> None:
    seen = cxkit.touchpoint("recorder.seen")
    with recorder(), pytest.raises(cxkit.CXError):
        seen.capture(bad=float("nan"))
    with recorder(strict=False) as record:
        seen.capture(bad=float("nan"))
        assert record.one("recorder.seen").trimmed == {"bad": "nan"}


def test_its_account_is_up_to_date() -> None:
    seen = cxkit.touchpoint("recorder.seen")
    with recorder() as record:
        assert record.account.captured == 0
        seen.capture()
        assert (record.account.spooled, record.account.exporters["recorder"].delivered) == (1, 1)
        with cxkit.scope(user_id="nancy", evidence="login"):
            cxkit.withdraw("analytics")
            seen.capture()
        assert record.account.dropped == {"consent_refused": 1}


def test_two_at_once_do_not_mix() -> None:
    seen = cxkit.touchpoint("recorder.seen")
    with recorder() as outer:
        seen.capture(where="outer")
        with recorder() as inner:
            seen.capture(where="inner")
        seen.capture(where="outer")
        assert [one.properties["where"] for one in outer.interactions] == ["outer", "outer"]
        assert inner.one("recorder.seen").properties == {"where": "inner"}


def test_no_thread_is_left_behind() -> None:
    with recorder():
        cxkit.touchpoint("recorder.seen").capture()
    assert not [thread.name for thread in threading.enumerate() if thread.name == "cxkit-recorder"]


def test_an_error_of_the_test_is_not_hidden_by_the_recorder() -> None:
    def fail() -> None:
        with recorder():
            cxkit.touchpoint("recorder.seen").capture()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()


# --- the fakes ---


def test_a_fake_clock_stands_until_it_is_moved() -> None:
    clock = FakeClock(start_s=1_800_000_000)
    assert clock.time_ns() == clock.time_ns() == 1_800_000_000_000_000_000
    clock.advance(1.5)
    clock.advance(-0.5)
    assert clock.time_ns() == 1_800_000_001_000_000_000


def test_counted_bytes_repeat_and_differ() -> None:
    one, other = counting(), counting()
    drawn = [one(6), one(12), one(2)]
    assert drawn == [other(6), other(12), other(2)]
    assert [len(bytes_) for bytes_ in drawn] == [6, 12, 2]
    assert len({drawn[0], drawn[1][:6], drawn[1][6:]}) == 3


def test_an_exporter_answers_as_it_is_told() -> None:
    exporter = RecordingExporter(outcomes=[Outcome.retry("busy")])
    batch = Batch("b", ())
    assert exporter.export(batch, deadline_s=1.0) == Outcome.retry("busy")
    assert exporter.export(batch, deadline_s=1.0) == Outcome.delivered()
    assert exporter.batches == [batch, batch]


def test_an_exporter_that_is_refused_gets_it_again() -> None:
    exporter = RecordingExporter(outcomes=[Outcome.retry("busy"), Outcome.split("large")])
    from cxkit.kit import Kit
    from cxkit.settings import Settings

    kit = Kit(Settings(strict=True), exporters={"x": exporter}, in_memory=True)
    seen = cxkit.touchpoint("recorder.again")
    with cxkit.scope(kit=kit):
        for number in range(4):
            seen.capture(number=number)
    while not kit.flush(timeout_s=1).complete:
        pass
    kit.close()
    assert [one.properties["number"] for one in exporter.interactions] == [0, 1, 2, 3]


# --- the pytest plugin ---


def test_the_plugin_gives_every_test_a_recorder_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "test_app.py").write_text(
        textwrap.dedent(
            """
            import cxkit

            SEEN = cxkit.touchpoint("app.seen")

            def test_one(cx):
                SEEN.capture(number=1)
                assert cx.one("app.seen").properties == {"number": 1}

            def test_another(cx):
                assert cx.interactions == []

            def test_without_asking_for_it():
                try:
                    SEEN.capture(number=float("nan"))
                except cxkit.CXError:
                    return
                raise AssertionError("the default kit is not a strict recorder")
            """
        ),
        "utf-8",
    )
    installed = entry_points(group="pytest11", name="cxkit")
    loaded = [] if installed else ["-p", "cxkit.testing.pytest_plugin"]  # as where cxkit is not installed but found
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *loaded, str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stdout
    assert "3 passed" in ended.stdout
    assert not (tmp_path / ".cxkit").exists()
