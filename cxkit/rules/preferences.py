"""What may be sent to whom, where and when. Apart from consent, which says what may be done with data.

**Preferences.** A topic on a channel is a cell. Only an explicit act changes a cell, and only its own: leaving one
topic leaves the others, leaving the last one is not "stop everything", and buying something is no act at all.

**Sending.** `may_send` first looks for everything that forbids a message, then for everything that only delays it:
whoever is told "later" will try again later, and must not do that for nothing, nor keep room in a frequency cap for it.
Within each of the two, the order is suppression, frequency cap, quiet hours, preference.

Sources: RFC 8058 (one-click unsubscription), RFC 5545 and PEP 495 for local times that do not exist or exist twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Final, TypeAlias

import attrs

from cxkit.model.consent import Answer, Blocked, GlobalStop, Preference, Suppression, Topic, TopicKind

__all__ = [
    "MOST_COUNTED",
    "Act",
    "Clear",
    "Deferred",
    "FrequencyCap",
    "QuietHours",
    "Sending",
    "Sent",
    "abiding",
    "abiding_suppressions",
    "answer",
    "counted",
    "free_at",
    "matrix",
    "may_send",
    "quiet_until",
    "refuses",
    "suppressed",
    "wanted",
]

Act: TypeAlias = Preference | GlobalStop

MOST_COUNTED: Final = 100
"""Of how many messages of one topic on one channel it is remembered when they were sent; no cap allows more."""


# --- Preferences ----------------------------------------------------------------------------------


def answer(acts: Iterable[Act], *, topic: Topic, channel: str) -> Answer:
    """What a person wants of one topic on one channel; ``default`` if nobody has said.

    The latest act for this cell holds, and of two at one moment the refusal. A global stop refuses marketing
    everywhere, until it is lifted or the person themselves chooses a cell again: no import and no operator opens
    what a person closed.

    Example:
        >>> from datetime import UTC, datetime
        >>> news = Topic(name="news")
        >>> noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
        >>> left = Preference(topic="news", channel="email", choice="denied", decided_at=noon)
        >>> answer([left], topic=news, channel="email"), answer([left], topic=news, channel="sms")
        ('denied', 'default')
    """
    known = list(acts)
    stopped_at = _stopped_at(known) if topic.kind == "marketing" else None
    mine = [one for one in known if isinstance(one, Preference) and (one.topic, one.channel) == (topic.name, channel)]
    held = max(mine, key=lambda one: (one.decided_at, one.choice == "denied"), default=None)
    if stopped_at is not None:
        again = [one for one in mine if one.by == "user" and one.decided_at > stopped_at]
        held = max(again, key=lambda one: (one.decided_at, one.choice == "denied"), default=None)
        return "denied" if held is None else held.choice
    return "default" if held is None else held.choice


def _stopped_at(acts: Iterable[Act]) -> datetime | None:
    stops = [one for one in acts if isinstance(one, GlobalStop)]
    last = max(stops, key=lambda one: (one.decided_at, not one.lifted), default=None)
    return None if last is None or last.lifted else last.decided_at


def wanted(answer: Answer, *, topic: Topic, channel: str) -> bool:
    """Whether that answer allows to send; what is transactional always may be, as no opt-out concerns it."""
    if topic.kind == "transactional":
        return True
    return (topic.default(channel) if answer == "default" else answer) == "granted"


def matrix(acts: Iterable[Act], *, topics: Iterable[Topic], channels: Iterable[str]) -> dict[str, dict[str, Answer]]:
    """Every topic on every channel: topic to channel to what the person wants."""
    known, everywhere = list(acts), list(channels)
    return {
        topic.name: {channel: answer(known, topic=topic, channel=channel) for channel in everywhere} for topic in topics
    }


def abiding(acts: Iterable[Act]) -> list[Act]:
    """Those that still decide something, oldest first: whatever is asked of all acts, these answer the same.

    Of each cell the latest, and the latest of the person's own, which alone outdoes a stop; and the latest stop.
    So what is kept of acts that come late, twice or in another order is the same in the end.

    Example:
        >>> from datetime import UTC, datetime
        >>> joined, left = (
        ...     Preference(topic="news", channel="sms", choice=choice, decided_at=datetime(year, 1, 1, tzinfo=UTC))
        ...     for year, choice in ((2025, "granted"), (2026, "denied"))
        ... )
        >>> abiding([left, joined, left]) == [left]
        True
    """
    held: dict[tuple[str, ...], Act] = {}
    for one in sorted(acts, key=lambda one: (one.decided_at, refuses(one), one.id)):
        if isinstance(one, GlobalStop):
            held[()] = one
            continue
        held[one.topic, one.channel] = one
        if one.by == "user":
            held[one.topic, one.channel, "user"] = one
    return sorted(set(held.values()), key=lambda one: (one.decided_at, one.id))


def refuses(act: Act) -> bool:
    """Whether it lets less be sent than before."""
    return not act.lifted if isinstance(act, GlobalStop) else act.choice == "denied"


def abiding_suppressions(suppressions: Iterable[Suppression]) -> list[Suppression]:
    """Of each channel and reason the latest, oldest first; as `abiding`."""
    held: dict[tuple[str, str], Suppression] = {}
    for one in sorted(suppressions, key=lambda one: (one.at, not one.lifted, one.id)):
        held[one.channel, one.reason] = one
    return sorted(held.values(), key=lambda one: (one.at, one.id))


def suppressed(suppressions: Iterable[Suppression], *, channel: str, kind: TopicKind) -> str | None:
    """Why an address must not be written to, the gravest reason first; None if it may be.

    A complaint and a hard bounce stop everything; an operator's suppression all but the transactional.
    """
    latest = {one.reason: one for one in abiding_suppressions(suppressions) if one.channel == channel}
    for reason in ("complaint", "hard_bounce", "operator"):
        if reason in latest and not latest[reason].lifted and not (reason == "operator" and kind == "transactional"):
            return reason
    return None


# --- Frequency caps -------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Sent:
    """A message that was sent, not one that was tried."""

    topic: str
    kind: TopicKind
    channel: str
    at: datetime
    id: str = ""
    """The id of the command that counted it: under two identifiers of one person it is still one message."""


def counted(sent: Iterable[Sent]) -> list[Sent]:
    """Each message once, oldest first: of each topic on each channel no more than a cap can count, the newest."""
    left: dict[tuple[str, str], int] = {}
    kept = []
    for one in sorted(set(sent), key=lambda one: (one.at, one.id), reverse=True):
        cell = (one.topic, one.channel)
        left[cell] = left.get(cell, MOST_COUNTED) - 1
        if left[cell] >= 0:
            kept.append(one)
    return kept[::-1]


@attrs.frozen(kw_only=True)
class FrequencyCap:
    """At most so many messages to one person within any time of this length.

    Transactional messages are neither counted nor stopped.
    """

    most: int
    """Up to `MOST_COUNTED`."""
    window_s: float
    kind: TopicKind | None = None
    """Of this kind only; likewise topic and channel. None: of any."""
    topic: str | None = None
    channel: str | None = None

    def concerns(self, *, topic: str, kind: TopicKind, channel: str) -> bool:
        """Whether it counts such a message."""
        return (
            kind != "transactional"
            and self.kind in (None, kind)
            and self.topic in (None, topic)
            and self.channel in (None, channel)
        )


def free_at(cap: FrequencyCap, sent: Iterable[Sent], *, now: datetime) -> datetime | None:
    """When one more message keeps to a cap of at least one, in UTC; None if it does now.

    A message leaves the window in the very moment it is as old as the window is long.
    """
    window = timedelta(seconds=cap.window_s)
    counted = sorted(
        one.at
        for one in sent
        if cap.concerns(topic=one.topic, kind=one.kind, channel=one.channel) and one.at > now - window
    )
    if len(counted) < cap.most:
        return None
    return (counted[-cap.most] + window).astimezone(UTC)


# --- Quiet hours ----------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class QuietHours:
    """A time of day at which only what is transactional is sent, by the clock on the person's own wall.

    Example:
        >>> QuietHours(start=time(21), end=time(8)).cover(time(23, 30))
        True
    """

    start: time
    """The first moment that is quiet. A wall-clock time, without a zone."""
    end: time
    """The first that is not; before ``start`` if midnight lies between; equal to it: never quiet."""
    zone: tzinfo | None = None
    """The zone of those whose own is not known."""

    def cover(self, wall: time) -> bool:
        """Whether it is quiet when a wall clock shows this."""
        if self.start <= self.end:
            return self.start <= wall < self.end
        return wall >= self.start or wall < self.end


def quiet_until(hours: QuietHours, *, zone: tzinfo, now: datetime) -> datetime | None:
    """When the quiet hours that it is in now are over, in UTC; None if it is in none.

    An end that the clocks skip comes when they have skipped it; one that they show twice comes when they show it
    next, so that hours which are quiet again on the second round are waited for.
    """
    here = now.astimezone(zone)
    if not hours.cover(_wall(here)):
        return None
    ends = []
    for days in range(3):  # a zone may skip a whole date
        for fold in (0, 1):
            end = datetime.combine(here.date() + timedelta(days=days), hours.end, tzinfo=zone).replace(fold=fold)
            instant = _skipped(end) or end.astimezone(UTC)
            if instant > now and not hours.cover(_wall(instant.astimezone(zone))):
                ends.append(instant)
    return min(ends)


def _wall(local: datetime) -> time:
    return local.time().replace(fold=0)


def _skipped(local: datetime) -> datetime | None:
    """The instant at which the clocks skip a local time, in UTC; None if they do not."""
    if local.astimezone(UTC).astimezone(local.tzinfo).replace(tzinfo=None, fold=0) == local.replace(
        tzinfo=None, fold=0
    ):
        return None
    zone = local.tzinfo
    early, late = sorted(local.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    before = early.astimezone(zone).utcoffset()
    while late - early > timedelta(microseconds=1):
        middle = early + (late - early) // 2
        if middle.astimezone(zone).utcoffset() == before:
            early = middle
        else:
            late = middle
    return late


# --- The gate -------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Sending:
    """What a company sends, and what it keeps to.

    Example:
        >>> Sending().topic("news").kind, Sending(topics={"news": Topic(name="news")}).topic("nwes")
        ('marketing', None)
    """

    topics: Mapping[str, Topic] = attrs.field(factory=dict)
    """By name."""
    caps: tuple[FrequencyCap, ...] = ()
    quiet: QuietHours | None = None

    def topic(self, name: str) -> Topic | None:
        """A topic; None if it is not declared. Where none is, each is marketing that nobody has asked for yet."""
        return self.topics.get(name) if self.topics else Topic(name=name)


@attrs.frozen(kw_only=True)
class Clear:
    """It may be sent now."""


@attrs.frozen(kw_only=True)
class Deferred:
    """It may be sent later; then it is to be asked for again."""

    not_before: datetime
    """In UTC; neither a cap nor quiet hours hold then, as far as can be known now."""
    reason: str
    """``frequency_cap`` or ``quiet_hours``; of both the first."""


def may_send(
    *,
    topic: Topic,
    channel: str,
    now: datetime,
    acts: Iterable[Act] = (),
    suppressions: Iterable[Suppression] = (),
    sent: Iterable[Sent] = (),
    caps: Iterable[FrequencyCap] = (),
    quiet: QuietHours | None = None,
    zone: tzinfo | None = None,
) -> Clear | Blocked | Deferred:
    """Whether a message of a topic may go to a person on a channel: yes, no and why, or not before when and why.

    What is transactional is stopped by a complaint or a hard bounce only.

    Args:
        now: Aware.
        acts: The person's acts of preference.
        suppressions: Of their address on this channel.
        sent: What was sent to them, at least within the longest window of a cap.
        zone: Theirs. If it is not known the zone of the quiet hours counts; without that either, it is quiet somewhere
            at every moment, so it is ``zone_unknown``, and blocked.

    Example:
        >>> from datetime import UTC, datetime
        >>> noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
        >>> may_send(topic=Topic(name="receipt", kind="transactional"), channel="email", now=noon)
        Clear()
        >>> str(may_send(topic=Topic(name="news"), channel="email", now=noon))
        'send:marketing:not_granted:email'
    """
    concerning = [] if topic.kind == "transactional" else list(caps)
    concerning = [one for one in concerning if one.concerns(topic=topic.name, kind=topic.kind, channel=channel)]
    hours = None if topic.kind == "transactional" or quiet is None or quiet.start == quiet.end else quiet
    there = zone or (hours.zone if hours else None)
    reason = (
        suppressed(suppressions, channel=channel, kind=topic.kind)
        or ("frequency_cap" if any(one.most < 1 for one in concerning) else None)
        or ("zone_unknown" if hours is not None and there is None else None)
        or _unwanted(answer(acts, topic=topic, channel=channel), topic, channel)
    )
    if reason is not None:
        return Blocked(gate="send", purpose=topic.kind, reason=reason, destination=channel)
    return _later(concerning, list(sent), hours, there, now) or Clear()


def _unwanted(said: Answer, topic: Topic, channel: str) -> str | None:
    if wanted(said, topic=topic, channel=channel):
        return None
    return "opted_out" if said == "denied" else "not_granted"


def _later(
    caps: Iterable[FrequencyCap], sent: Iterable[Sent], hours: QuietHours | None, zone: tzinfo | None, now: datetime
) -> Deferred | None:
    free = max((at for cap in caps if (at := free_at(cap, sent, now=now))), default=None)
    begin = free or now  # once free of the caps it stays so, as long as nothing is sent
    heard = None if hours is None or zone is None else quiet_until(hours, zone=zone, now=begin)
    if heard is not None:
        return Deferred(not_before=heard, reason="quiet_hours" if free is None else "frequency_cap")
    return None if free is None else Deferred(not_before=free, reason="frequency_cap")
