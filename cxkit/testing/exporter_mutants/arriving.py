"""Mutants with whom something does not arrive, or not as it was."""

from __future__ import annotations

import contextlib
import itertools
import time
import uuid
from collections.abc import Mapping
from typing import Any, Final

import attrs
import msgspec

from cxkit.codec import decode
from cxkit.errors import CodecError, TransportError
from cxkit.model import Interaction
from cxkit.roles import Batch, Outcome
from cxkit.testing.exporter_mutants.reference import CounterExporter, Settings
from cxkit.testing.exporter_mutants.register import mutant
from cxkit.transport import Response


@mutant("test_delivers_all")
class DropsTheLast(CounterExporter):
    """Takes the end of the range for included."""

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        super().export(Batch(batch.id, batch.payloads[:-1]), deadline_s=deadline_s)
        return Outcome.delivered()


@mutant("test_delivers_all")
class IdsOfItsOwn(CounterExporter):
    """Names interactions anew, as vendors' clients do that know no ids of others."""

    def read(self, payload: bytes) -> Interaction:
        return attrs.evolve(super().read(payload), id=str(uuid.uuid4()))


@mutant("test_delivers_all")
@mutant("test_consent_is_asked_before_the_wire")
class Buffers(CounterExporter):
    """Says yes at once, and posts when a hundred have come together."""

    kept: tuple[bytes, ...] = ()

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        self.kept += batch.payloads
        if len(self.kept) >= 100:
            kept, self.kept = self.kept, ()
            return super().export(Batch(batch.id, kept), deadline_s=deadline_s)
        return Outcome.delivered()


@mutant("test_fields_arrive_as_they_were")
class LosesNulls(CounterExporter):
    """Leaves out what is null, as many serialisers do."""

    def read(self, payload: bytes) -> Interaction:
        one = super().read(payload)
        return attrs.evolve(one, properties={key: value for key, value in one.properties.items() if value is not None})


@mutant("test_fields_arrive_as_they_were")
class FloatsIntegers(CounterExporter):
    """Has one number type, a float."""

    def read(self, payload: bytes) -> Interaction:
        one = super().read(payload)
        floated = {key: float(value) if type(value) is int else value for key, value in one.properties.items()}
        return attrs.evolve(one, properties=floated)


@mutant("test_fields_arrive_as_they_were")
class LosesAccents(CounterExporter):
    """Writes ASCII, and what is not ASCII goes."""

    def line(self, one: Interaction, batch: Batch) -> bytes:
        return super().line(one, batch).decode().encode("ascii", "ignore")


@mutant("test_fields_arrive_as_they_were")
class CutsMilliseconds(CounterExporter):
    """Has times of whole seconds."""

    def read(self, payload: bytes) -> Interaction:
        one = super().read(payload)
        return attrs.evolve(one, occurred_at=one.occurred_at.replace(microsecond=0))


@mutant("test_compressed_batches_arrive")
class ClaimsToCompress(CounterExporter):
    """Loses the end of what it compresses: the compressor was not flushed."""

    def post(self, body: bytes, *, deadline_s: float) -> Response | TransportError:
        return super().post(body[: len(body) // 2] if self._settings.gzip else body, deadline_s=deadline_s)


@mutant("test_resending_repeats_ids_and_keys")
class NewKeyEachAttempt(CounterExporter):
    """Draws the key when it posts, not when it was captured."""

    def line(self, one: Interaction, batch: Batch) -> bytes:
        return super().line(one, batch).replace(b"cx-", uuid.uuid4().hex.encode(), 1)


@mutant("test_resending_repeats_ids_and_keys")
class KeyOfTheBatch(CounterExporter):
    """Gives all of a batch the key of the batch."""

    def line(self, one: Interaction, batch: Batch) -> bytes:
        return super().line(one, batch).replace(f"cx-{one.id}".encode(), batch.id.encode(), 1)


@mutant("test_resending_repeats_ids_and_keys")
class KeyOfThePerson(CounterExporter):
    """Takes all of one person for the same."""

    def line(self, one: Interaction, batch: Batch) -> bytes:
        return super().line(one, batch).replace(f"cx-{one.id}".encode(), one.identity.identifiers[0].value.encode(), 1)


@mutant("test_resending_repeats_ids_and_keys")
class KeyOfTheProcess(CounterExporter):
    """Counts, from 0 in each process: another's numbers are taken for duplicates."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._numbers: dict[str, int] = {}
        self._next = itertools.count()

    def line(self, one: Interaction, batch: Batch) -> bytes:
        number = self._numbers.setdefault(one.id, next(self._next))
        return super().line(one, batch).replace(f"cx-{one.id}".encode(), str(number).encode(), 1)


@mutant("test_order_is_kept")
class SortsByID(CounterExporter):
    """Takes the order of ids for the order of capture."""

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        return super().export(Batch(batch.id, tuple(sorted(batch.payloads))), deadline_s=deadline_s)


@mutant("test_an_empty_batch_is_delivered")
class PostsNothing(CounterExporter):
    """Posts an empty batch, which nobody accepts."""

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        if batch.payloads:
            return super().export(batch, deadline_s=deadline_s)
        return self.judged(self.post(b"", deadline_s=deadline_s), [])


class _Strict(msgspec.Struct, forbid_unknown_fields=True):
    specversion: str
    id: str
    time: str
    source: str
    type: str
    datacontenttype: str
    dataschema: str
    data: dict[str, Any]
    cxkind: str | None = None
    cxdirection: str | None = None


_strict: Final = msgspec.json.Decoder(_Strict)


@mutant("test_unknown_fields_do_no_harm")
class KnowsTodaysFields(CounterExporter):
    """Refuses what a later version adds."""

    def read(self, payload: bytes) -> Interaction:
        try:
            _strict.decode(payload)
        except msgspec.MsgspecError as error:
            raise ValueError("not as I know it") from error
        return super().read(payload)


@mutant("test_a_later_major_version_holds_up_nobody")
class WaitsForAnUpdate(CounterExporter):
    """Stops at a later version, and all others wait behind it."""

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        if any(b"urn:cxkit:interaction:1" not in payload and b"urn:" in payload for payload in batch.payloads):
            return Outcome.pause("update_needed")
        return super().export(batch, deadline_s=deadline_s)


@mutant("test_times_far_off_hold_up_nobody")
class DistrustsClocks(CounterExporter):
    """Tries again later what has an odd time; it will be as odd then."""

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        if any(abs(_read_time(payload) - time.time()) > 86_400 * 365 for payload in batch.payloads):
            return Outcome.retry("clock_skew")
        return super().export(batch, deadline_s=deadline_s)


def _read_time(payload: bytes) -> float:
    try:
        return decode(payload).occurred_at.timestamp()
    except CodecError:
        return time.time()


@mutant("test_any_bytes_come_to_an_outcome")
class TrustsTheSpool(CounterExporter):
    """Decodes all at once: one that cannot be read raises for all."""

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        if len(batch.interactions) != len(batch.payloads):  # raises before it compares
            return Outcome.split("unreadable")
        return super().export(batch, deadline_s=deadline_s)


@mutant("test_any_bytes_come_to_an_outcome")
class RefusesAllForOne(CounterExporter):
    """Tries a batch again in which one cannot be read."""

    def joined(self, outcome: Outcome, rejected: Mapping[int, str]) -> Outcome:
        return Outcome.retry("unreadable") if rejected else outcome


@mutant("test_batches_are_not_changed")
class Stamps(CounterExporter):
    """Notes in the batch itself that it was exported."""

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        with contextlib.suppress(CodecError):
            for one in batch.interactions:
                one.properties["exported"] = True  # type: ignore[index]
        return super().export(batch, deadline_s=deadline_s)
