"""Quiet hours: by the clock on the person's own wall, through every trick that clocks play."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from cxkit.model.consent import Blocked, Preference, Topic
from cxkit.rules.preferences import Clear, Deferred, QuietHours, may_send, quiet_until

NIGHT = QuietHours(start=time(21), end=time(8))
NEWS = Topic(name="news")
ZONES = [
    "Europe/Paris", "America/New_York", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu",
    "Africa/Casablanca", "Pacific/Apia", "Pacific/Kiritimati", "America/Havana", "Asia/Tehran", "UTC",
]  # fmt: skip
zones = st.sampled_from(ZONES).map(ZoneInfo)
walls = st.times().map(lambda one: one.replace(second=0, microsecond=0))
instants = st.datetimes(datetime(2005, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
windows = st.builds(QuietHours, start=walls, end=walls)


def quiet_at(hours: QuietHours, zone: ZoneInfo, at: datetime) -> bool:
    return hours.cover(at.astimezone(zone).time())


def at(text: str, zone: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


@settings(max_examples=300)
@given(windows, zones, instants)
@example(
    QuietHours(start=time(23), end=time(0, 30)), ZoneInfo("America/Havana"), datetime(2026, 3, 8, 4, 45, tzinfo=UTC)
)
@example(QuietHours(start=time(21), end=time(8)), ZoneInfo("Pacific/Apia"), datetime(2011, 12, 30, 9, tzinfo=UTC))
def test_it_is_quiet_now_and_not_any_more_then(hours: QuietHours, zone: ZoneInfo, now: datetime) -> None:
    end = quiet_until(hours, zone=zone, now=now)
    assert (end is not None) == quiet_at(hours, zone, now)
    if end is not None:
        assert end.tzinfo is UTC
        assert now < end <= now + timedelta(days=2)
        assert not quiet_at(hours, zone, end)
        assert quiet_until(hours, zone=zone, now=end) is None


@given(windows, zones, instants)
def test_nobody_waits_longer_than_it_is_quiet(hours: QuietHours, zone: ZoneInfo, now: datetime) -> None:
    end = quiet_until(hours, zone=zone, now=now)
    assume(end is not None)
    assert end is not None
    assume(now.astimezone(zone).utcoffset() == end.astimezone(zone).utcoffset())
    assume(now.astimezone(zone).utcoffset() == (now + (end - now) / 2).astimezone(zone).utcoffset())
    step = (end - now) / 50
    assert all(quiet_at(hours, zone, now + step * n) for n in range(50))
    assert quiet_at(hours, zone, end - timedelta(microseconds=1))


@given(zones, instants, walls)
def test_hours_that_begin_as_they_end_are_never_quiet(zone: ZoneInfo, now: datetime, wall: time) -> None:
    assert quiet_until(QuietHours(start=wall, end=wall), zone=zone, now=now) is None


@given(windows, instants, st.integers(-840, 720))
def test_the_same_wall_the_same_answer_wherever_it_hangs(hours: QuietHours, now: datetime, minutes: int) -> None:
    """An instant, its zone, and an instant elsewhere at which the clocks show the same."""
    there = timezone(timedelta(minutes=minutes))
    same = now - timedelta(minutes=minutes)
    one, other = quiet_until(hours, zone=UTC, now=now), quiet_until(hours, zone=there, now=same)
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert one - now == other - same


@pytest.mark.parametrize(
    ("hours", "zone", "now", "until"),
    [
        # across midnight, on either side of it
        (NIGHT, "Europe/Paris", "2026-11-22T23:30", "2026-11-23T08:00+01:00"),
        (NIGHT, "Europe/Paris", "2026-11-23T00:00", "2026-11-23T08:00+01:00"),
        (NIGHT, "Europe/Paris", "2026-11-23T07:59:59.999999", "2026-11-23T08:00+01:00"),
        # the first moment is quiet, the last is not
        (NIGHT, "Europe/Paris", "2026-11-22T21:00", "2026-11-23T08:00+01:00"),
        (NIGHT, "Europe/Paris", "2026-11-23T08:00", None),
        (NIGHT, "Europe/Paris", "2026-11-22T20:59", None),
        # the same wall time, another offset: the night in which summer time begins
        (NIGHT, "Europe/Paris", "2026-03-28T23:00", "2026-03-29T08:00+02:00"),
        # the end is skipped: 02:30 is not shown, at 03:00 it is past
        (QuietHours(start=time(22), end=time(2, 30)), "Europe/Paris", "2026-03-29T01:59", "2026-03-29T03:00+02:00"),
        # the end is shown twice: its first time
        (QuietHours(start=time(22), end=time(2, 30)), "Europe/Paris", "2026-10-25T01:00", "2026-10-25T02:30+02:00"),
        # Havana skips midnight itself
        (QuietHours(start=time(22), end=time(0)), "America/Havana", "2026-03-07T23:30", "2026-03-08T01:00-04:00"),
        # Lord Howe moves by half an hour
        (QuietHours(start=time(22), end=time(2, 15)), "Australia/Lord_Howe", "2026-10-04T01:30",
         "2026-10-04T02:30+11:00"),
        # Samoa had no 30 December 2011
        (NIGHT, "Pacific/Apia", "2011-12-29T23:00", "2011-12-31T08:00+14:00"),
    ],
)  # fmt: skip
def test_named_nights(hours: QuietHours, zone: str, now: str, until: str | None) -> None:
    found = quiet_until(hours, zone=ZoneInfo(zone), now=at(now, zone))
    assert found == (None if until is None else datetime.fromisoformat(until))


def test_the_second_round_of_an_hour_is_quiet_again() -> None:
    """At 02:40, the clocks go back at 03:00, and show 02:10 once more: it is quiet until the second 02:30."""
    hours = QuietHours(start=time(22), end=time(2, 30))
    paris = ZoneInfo("Europe/Paris")
    between = datetime(2026, 10, 25, 2, 40, tzinfo=paris)
    again = datetime(2026, 10, 25, 2, 10, fold=1, tzinfo=paris)
    assert quiet_until(hours, zone=paris, now=between) is None
    assert quiet_until(hours, zone=paris, now=again) == datetime.fromisoformat("2026-10-25T02:30+01:00")


# --- Whose zone -----------------------------------------------------------------------------------

YES = [Preference(topic="news", channel="email", choice="granted", decided_at=datetime(2026, 1, 1, tzinfo=UTC))]
EIGHT_IN_PARIS = datetime(2026, 11, 22, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("theirs", "policys", "expected"),
    [
        ("Europe/Paris", None, Clear()),
        ("Europe/Paris", "America/New_York", Clear()),
        ("America/New_York", "Europe/Paris",
         Deferred(not_before=datetime(2026, 11, 22, 13, tzinfo=UTC), reason="quiet_hours")),
        (None, "Europe/Paris", Clear()),
        (None, "America/New_York",
         Deferred(not_before=datetime(2026, 11, 22, 13, tzinfo=UTC), reason="quiet_hours")),
        (None, None, Blocked(gate="send", purpose="marketing", reason="zone_unknown", destination="email")),
    ],
)  # fmt: skip
def test_their_own_zone_then_the_policys_then_none(theirs: str | None, policys: str | None, expected: object) -> None:
    quiet = QuietHours(start=time(21), end=time(8), zone=None if policys is None else ZoneInfo(policys))
    zone = None if theirs is None else ZoneInfo(theirs)
    found = may_send(topic=NEWS, channel="email", now=EIGHT_IN_PARIS, acts=YES, quiet=quiet, zone=zone)
    assert found == expected


@given(instants)
def test_it_is_night_somewhere_at_every_moment(now: datetime) -> None:
    """Why nothing can be sent to somebody whose zone is not known: the strictest reading has no end."""
    offsets = (timezone(timedelta(hours=hours)) for hours in range(-12, 15))
    assert any(NIGHT.cover(now.astimezone(one).time()) for one in offsets)
