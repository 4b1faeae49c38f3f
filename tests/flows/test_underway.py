"""What changes while it is being read is known to whoever reads it, and to nobody later."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.flows.underway import Underway

DOCUMENTS = st.sets(st.sampled_from("abcd"))


@given(before=DOCUMENTS, during=DOCUMENTS, asked=DOCUMENTS)
def test_exactly_what_changed_since_it_began_has_changed(before: set[str], during: set[str], asked: set[str]) -> None:
    underway = Underway(threading.Lock())
    underway.changed(before)
    with underway.reading() as changed:
        assert not changed(asked)
        underway.changed(during)
        assert changed(asked) == bool(during & asked)


def test_all_may_have_changed() -> None:
    underway = Underway(threading.Lock())
    with underway.reading() as changed:
        underway.changed(None)
        assert changed(["a"])
        assert changed([])


def test_each_reading_knows_of_its_own_time() -> None:
    underway = Underway(threading.Lock())
    with underway.reading() as first:
        underway.changed(["a"])
        with underway.reading() as second:
            underway.changed(["b"])
            assert (first("a"), first("b"), second("a"), second("b")) == (True, True, False, True)


def test_a_reading_that_fails_has_ended() -> None:
    underway = Underway(threading.Lock())
    with pytest.raises(OSError, match="no store"), underway.reading():
        raise OSError("no store")
    assert not underway._meanwhile


def test_a_reading_begins_and_ends_under_the_lock_of_whoever_holds_what_is_read() -> None:
    """Or whoever says what changed could meet one that ends meanwhile."""
    guard = threading.Lock()
    underway = Underway(guard)

    def read() -> None:
        with underway.reading():
            pass

    thread = threading.Thread(target=read)
    with guard:
        thread.start()
        underway.changed(["a"])
        assert not underway._meanwhile
    thread.join()
    assert not underway._meanwhile
