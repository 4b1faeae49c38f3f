"""What must arrive, and how: checks against a healthy other side."""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import attrs
import msgspec
import pytest

from cxkit.codec import encode
from cxkit.model import JSON, Interaction
from cxkit.roles import Batch
from cxkit.testing.exporter_suite.bench import Bench, batch_of, fails

__all__ = ["DeliveryChecks"]

_DEEP: Final = b"[" * 50_000 + b"]" * 50_000
_HARD: Final[dict[str, JSON]] = {
    "accents": "Pêches à la crème, Ωμέγα, 桃, 🍑",
    "big": 2**60 + 1,
    "empty": "",
    "list": [1, None, [], {}, True],
    "long": "é" * 8_000,
    "minus": -0.0,
    "nested": {"null": None, "deeper": {"null": None, "yes": True, "no": False}},
    "quotes": "\"'`\\/ <&> \t\n %s {} ${HOME}",
    "small": 0.1 + 0.2,
    "text_of_a_number": "007",
    "null": None,
}
_GARBAGE: Final[Mapping[str, bytes]] = {
    "nothing": b"",
    "no JSON": b"\xff\xfe\x00",
    "cut": b'{"specversion":"1.0","id":"x',
    "null": b"null",
    "a number": b"17",
    "a list": b"[]",
    "an empty object": b"{}",
    "two values": b"{}{}",
    "deep": _DEEP,
    "no number": b'{"id":NaN}',
    "a surrogate": b'{"id":"\\ud800"}',
    "an id that is no text": b'{"specversion":"1.0","id":7,"type":"io.cxkit.a.b","source":"/s","data":{}}',
    "data that are a list": b'{"specversion":"1.0","id":"1","type":"io.cxkit.a.b","source":"/s","data":[1]}',
    "no time": b'{"specversion":"1.0","id":"1","type":"io.cxkit.a.b","source":"/s","data":{"properties":{}}}',
    "a year too late": b'{"specversion":"1.0","id":"1","time":"99999-01-01T00:00:00Z","type":"io.cxkit.a.b",'
    b'"source":"/s","data":{}}',
    "a huge number": b'{"specversion":"1.0","id":"1","time":"2026-11-21T10:30:00Z","type":"io.cxkit.a.b",'
    b'"source":"/s","data":{"properties":{"n":1e400,"m":' + b"9" * 400 + b"}}}",
}


class DeliveryChecks:
    """See `cxkit.testing.exporter_suite`."""

    def test_delivers_all(self, bench: Bench) -> None:
        """Everything said to be delivered is with the other side, once, under its own id."""
        interactions = bench.samples(25)
        exporter = bench.exporter()
        bench.deliver(exporter, interactions[:20])
        bench.deliver(exporter, interactions[20:])
        bench.arrived(interactions)

    def test_fields_arrive_as_they_were(self, bench: Bench) -> None:
        """Accents, nested nulls, integers above 2**53, -0.0, long and empty values survive the dialect."""
        plain, hard, bare = bench.samples(3)
        if not bench.backend.expected(plain):
            fails(
                f"{type(bench.backend).__name__}.fields is empty: name the fields of Interaction that the dialect "
                "carries and give them in Received.fields, or skip this check and say why"
            )
        hard = bench.backend.sample(attrs.evolve(hard, properties=_HARD))
        bare = bench.backend.sample(attrs.evolve(bare, properties={}))
        interactions = [plain, hard, bare]
        bench.deliver(bench.exporter(), interactions)
        received = {one.id: one.fields for one in bench.arrived(interactions)}
        for one in interactions:
            _same(dict(bench.backend.expected(one)), dict(received[one.id]))

    def test_compressed_batches_arrive(self, bench: Bench) -> None:
        """What is compressed on the way is the same behind it."""
        switch = dict(bench.backend.compression)
        if not switch:
            if not any(one.name == "gzip" for one in attrs.fields(bench.factory.settings)):
                pytest.skip("no setting is called gzip, and Backend.compression is empty: it does not compress")
            switch = {"gzip": True}
        interactions = bench.samples(20)
        bench.deliver(bench.exporter(**switch), interactions)
        bench.arrived(interactions)

    def test_resending_repeats_ids_and_keys(self, bench: Bench) -> None:
        """The same batch again, also by another process's exporter, carries what duplicates are told by."""
        interactions = bench.samples(10)
        exporter, later = bench.exporter(), bench.exporter()
        for one, part in ((exporter, [*range(5)]), (exporter, [*range(5)]), (later, [*range(5, 10)]), (later, [3, 4])):
            bench.deliver(one, [interactions[place] for place in part])
        keys: dict[str, set[str | None]] = {}
        for received in bench.arrived(interactions, once=False):
            keys.setdefault(received.id, set()).add(received.key)
        torn = [one for one, found in keys.items() if len(found) > 1]
        if torn:
            found = sorted(map(str, keys[torn[0]]))
            fails(f"resent under another key, so nobody can tell it is the same: {torn[0]}: {found}")
        told = [one for (one,) in keys.values() if one is not None]
        if len(set(told)) < len(told):
            fails("different interactions share one key: the other side will take them for duplicates")

    def test_order_is_kept(self, bench: Bench) -> None:
        """What one person did arrives in the order it happened, within a batch and between batches."""
        shuffled = random.Random(4).sample(range(40), 40)
        samples = {number: bench.samples(1, first=number, subject=f"p{number % 3}")[0] for number in shuffled}
        exporter = bench.exporter()
        ordered = [samples[number] for number in shuffled]
        for at in range(0, 40, 10):
            bench.deliver(exporter, ordered[at : at + 10])
        arrived = [one.id for one in bench.arrived(ordered)]
        for person in range(3):
            wanted = [one.id for number, one in samples.items() if number % 3 == person]
            if [one for one in arrived if one in wanted] != wanted:
                fails(f"the interactions of one person arrived in another order than they were handed over (p{person})")

    def test_an_empty_batch_is_delivered(self, bench: Bench) -> None:
        """Nothing is no reason to fail."""
        exporter = bench.exporter()
        outcome = bench.export(exporter, Batch("b-empty", ()))
        if outcome.verdict != "delivered":
            fails(f"an empty batch came to {outcome.verdict} {outcome.reason}")
        interactions = bench.samples(2)
        bench.deliver(exporter, interactions)
        bench.arrived(interactions)

    def test_unknown_fields_do_no_harm(self, bench: Bench) -> None:
        """A later version of cxkit adds fields: they are carried or left out, and what is known arrives."""
        interactions = bench.samples(4)
        payloads = [encode(one) for one in interactions]
        payloads[1] = _with(
            payloads[1], {"newfield": {"a": [1]}, "cxnew": "x"}, {"laterfield": [None], "later": {"x": 1}}
        )
        payloads[2] = _with(payloads[2], {}, {"context": {"laterpart": {"deep": True}}})
        outcome = bench.export(bench.exporter(), Batch("b-drift", tuple(payloads)))
        if outcome.verdict != "delivered":
            fails(f"fields that it does not know came to {outcome.verdict} {outcome.reason}")
        bench.arrived(interactions)

    def test_a_later_major_version_holds_up_nobody(self, bench: Bench) -> None:
        """A payload of another major version is passed on or refused, alone; those beside it arrive."""
        interactions = bench.samples(5)
        payloads = [encode(one) for one in interactions]
        payloads[2] = _with(payloads[2], {"dataschema": "urn:cxkit:interaction:2"}, {"identity": "of another form"})
        _all_but(bench, payloads, {2}, interactions)

    def test_times_far_off_hold_up_nobody(self, bench: Bench) -> None:
        """Clocks are wrong: an interaction of 1971 or 2126 is delivered or refused by name, not retried for ever."""
        interactions = bench.samples(5)
        interactions[1] = attrs.evolve(interactions[1], occurred_at=datetime(1971, 1, 1, tzinfo=UTC))
        interactions[3] = attrs.evolve(interactions[3], occurred_at=datetime(2126, 1, 1, tzinfo=UTC))
        drained = bench.drain(bench.exporter(), interactions)
        if not set(drained.dead) <= {interactions[1].id, interactions[3].id}:
            fails(f"those with a sound time were refused as well: {drained.dead}")
        bench.arrived([one for one in interactions if one.id not in drained.dead])

    @pytest.mark.parametrize("kind", [*_GARBAGE])
    def test_any_bytes_come_to_an_outcome(self, bench: Bench, kind: str) -> None:
        """A spool is a file: whatever is in a payload, nothing is raised and those beside it arrive."""
        interactions = bench.samples(5)
        payloads = [encode(one) for one in interactions]
        payloads[2] = _GARBAGE[kind]
        _all_but(bench, payloads, {2}, interactions)

    def test_batches_are_not_changed(self, bench: Bench) -> None:
        """The lane keeps the batch and hands parts of it over again."""
        batch = batch_of([attrs.evolve(one, properties={"a": {"b": [1, None]}}) for one in bench.samples(3)])
        before = (batch.id, batch.payloads, copy.deepcopy(batch.interactions))
        exporter = bench.exporter()
        for _ in range(2):
            bench.export(exporter, batch)
        if before != (batch.id, batch.payloads, batch.interactions):
            fails("export changed the batch it was given: copy what you change")

    def test_tries_once(self, bench: Bench) -> None:
        """One export is one attempt, also when it fails: the lane alone knows when to try again."""
        exporter = bench.exporter()
        batch = batch_of(bench.samples(3))
        bench.play_outage()
        before = bench.seen("requests")
        bench.export(exporter, batch)
        made = bench.seen("requests") - before
        if made != 1:
            fails(f"one export made {made} attempts at a backend that fails: try once")


def _all_but(bench: Bench, payloads: list[bytes], odd: set[int], interactions: list[Interaction]) -> None:
    """Halve as a lane does until the odd one is alone; the rest must arrive, and nobody is held up."""
    exporter = bench.exporter()
    todo = [list(range(len(payloads)))]
    dead: set[int] = set()
    for _ in range(40):
        if not todo:
            break
        now = todo.pop(0)
        outcome = bench.export(exporter, Batch(f"b-odd-{now[0]}-{now[-1]}", tuple(payloads[index] for index in now)))
        if outcome.verdict == "split" and len(now) > 1:
            todo[:0] = [now[: len(now) // 2], now[len(now) // 2 :]]
        elif outcome.verdict == "split":
            dead |= set(now)
        elif outcome.verdict in ("retry", "pause"):
            fails(f"one odd payload holds up all others for ever: {outcome.verdict} {outcome.reason}: reject or split")
        else:
            dead |= {now[index] for index in outcome.rejected}
    if todo or not dead <= odd:
        fails(f"one odd payload costs others: refused are those at {sorted(dead)}, odd is {sorted(odd)}")
    wanted = {one.id for index, one in enumerate(interactions) if index not in odd}
    missing = wanted - {one.id for one in bench.received(at_least=len(wanted))}
    if missing:
        fails(f"said to be delivered, but not with the other side: {sorted(missing)}")


def _with(payload: bytes, event: Mapping[str, Any], within: Mapping[str, Any]) -> bytes:
    decoded: dict[str, Any] = msgspec.json.decode(payload)
    return msgspec.json.encode({**decoded, **event, "data": {**decoded["data"], **within}})


def _same(wanted: Mapping[str, object], found: Mapping[str, object]) -> None:
    for name, value in wanted.items():
        if name not in found:
            fails(f"`{name}` did not arrive at all")
        where = _difference(value, found[name])
        if where is not None:
            fails(f"`{name}{where[0]}` arrived as {where[1]}, and was {where[2]}")


def _difference(wanted: object, found: object) -> tuple[str, str, str] | None:
    """Where two values differ, in type as well (1 is no True, -0.0 no 0.0); None if they do not."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        for key in {**wanted, **found}:
            if key not in wanted or key not in found:
                return f".{key}", *(_short(one[key]) if key in one else "not there" for one in (found, wanted))  # type: ignore[return-value]
            below = _difference(wanted[key], found[key])
            if below is not None:
                return f".{key}{below[0]}", below[1], below[2]
        return None
    if isinstance(wanted, (list, tuple)) and isinstance(found, (list, tuple)) and len(wanted) == len(found):
        for index, (one, other) in enumerate(zip(wanted, found, strict=True)):
            below = _difference(one, other)
            if below is not None:
                return f"[{index}]{below[0]}", below[1], below[2]
        return None
    same = wanted == found and isinstance(wanted, bool) == isinstance(found, bool)
    if isinstance(wanted, (int, float)):
        same = same and repr(wanted) == repr(found)
    return None if same else ("", _short(found), _short(wanted))


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) < 80 else f"{text[:60]}... ({len(text)} characters)"
