"""``cxkit privacy unused``: each field that is held, who reads it, and how many decisions it served.

What is held and nobody uses for the customer should not be kept.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import attrs
import click
import msgspec

from cxkit.cli.language import count, say
from cxkit.cli.local.reasons import field_of, tried_in
from cxkit.cli.privacy.subject import opened
from cxkit.cli.schema import imported
from cxkit.cli.terminal import json_option, print_json, print_table
from cxkit.flows.documents import (
    asked_doc,
    consent_doc,
    history_doc,
    life_in,
    preference_doc,
    sent_doc,
    suppression_doc,
)
from cxkit.kit import Kit
from cxkit.kit.local import opened_local
from cxkit.roles import Store
from cxkit.rules.consent import REGIONAL
from cxkit.rules.experience import Chooser

__all__ = ["unused"]

_DAYS: Final = 90
_DAY_MS: Final = 86_400_000
_PAGE: Final = 1000
_CONTEXT: Final[Mapping[str, str]] = {
    "channel": "channel",
    "session": "",
    "page.route": "route",
    "page.method": "",
    "page.title": "",
    "page.engaged_ms": "",
    "device.type": "device",
    "device.os": "",
    "device.browser": "",
    "place.country": "country",
    "place.region": "",
    "place.city": "",
    "locale": "locale",
    "timezone": "",
    "acquisition.source": "",
    "acquisition.medium": "",
    "acquisition.campaign": "",
    "traceparent": "",
}
"""Field of the context to what audiences call it, if they can name it."""


@attrs.frozen(kw_only=True)
class Field:
    """Something that is held of customers."""

    field: str
    """``traits.plan``, ``context.locale``, ``preferences``, ..."""
    held: int
    """How many people, documents or, of the context, interactions have it."""
    readers: tuple[str, ...]
    decisions: int | None
    """How many decisions of the last 90 days looked at it; None: there is no local file to tell."""

    @property
    def unused(self) -> bool:
        """Whether nothing that is known here reads it."""
        return not self.readers and not self.decisions


@click.command()
@click.argument("module", required=False)
@json_option
def unused(*, module: str | None, as_json: bool) -> None:
    """List each field that is held of customers, and who reads it.

    Readers are the audiences of experiences, frequency caps, quiet hours, and what cxkit itself remembers. MODULE is
    imported for the experiences that it declares: name the one your application starts with. How many decisions of the
    last 90 days a field served is read from the local file. What your own code reads nobody can see here.
    """
    if module is not None:
        imported(module)
    with opened() as kit:
        specs = kit.experiences.all()
        served = _served(kit, specs)
        found = [*_traits(kit, specs, served), *_context(kit, specs, served), *_documents(kit, specs)]
    if as_json:
        print_json({"days": _DAYS, "fields": [{**attrs.asdict(one), "unused": one.unused} for one in found]})
        return
    heads = [say("field"), say("held"), say("read by"), say("decisions in 90 days")]
    print_table(heads, [[one.field, one.held, ", ".join(one.readers) or None, one.decisions] for one in found])
    for line in _advice([one.field for one in found if one.unused]):
        click.echo(line)


def _advice(names: Sequence[str]) -> Iterator[str]:
    yield count(
        "{number} field is held and nothing known here reads it: {names}",
        "{number} fields are held and nothing known here reads them: {names}",
        len(names),
        names=", ".join(names) or "-",
    )
    if names:
        yield say("unless your own code uses them for the customer, stop keeping them")


# --- what is held, and who reads it ---------------------------------------------------------------


def _traits(kit: Kit, specs: Mapping[str, Chooser], served: Counter[str] | None) -> Iterator[Field]:
    held: Counter[str] = Counter()
    for body in _bodies(kit.premises.store(), "person/"):
        life = life_in(body)
        held.update(list(life.traits.held) if life is not None else [])
    own = {"timezone": [say("quiet hours")] if kit.settings.quiet_hours.start else []}
    own |= {name: [say("the profile")] for name in ("stage", "preferred_channel")}
    governing = {"minor", "residence"} if kit.settings.consent.policy == REGIONAL else {"minor"}
    own |= {name: [say("every gate of consent")] for name in governing}
    for name, number in sorted(held.items()):
        yield _field(f"traits.{name}", number, [*_audiences(f"traits.{name}", specs), *own.get(name, [])], served)


def _context(kit: Kit, specs: Mapping[str, Chooser], served: Counter[str] | None) -> Iterator[Field]:
    own = {
        "channel": [say("remembered contacts")] if kit.settings.profile.remember else [],
        "page.route": [say("remembered contacts")] if kit.settings.profile.remember else [],
        "session": [say("journeys")],
        "timezone": [say("quiet hours")] if kit.settings.quiet_hours.start else [],
        "page.engaged_ms": [say("insights")],
    }
    for path, number in _in_local(kit).items():
        name = _CONTEXT[path]
        readers = [*(_audiences(name, specs) if name else []), *own.get(path, [])]
        yield Field(
            field=f"context.{path}",
            held=number,
            readers=tuple(readers),
            decisions=None if served is None else served[name],
        )


def _documents(kit: Kit, specs: Mapping[str, Chooser]) -> Iterator[Field]:
    store, settings = kit.premises.store(), kit.settings
    kinds: dict[str, tuple[Callable[[str], str], list[str]]] = {
        "choices": (consent_doc, [say("every gate of consent")]),
        "preferences": (preference_doc, [say("the question whether to send")]),
        "suppressions": (suppression_doc, [say("the question whether to send")]),
        "messages": (sent_doc, [say("frequency cap {name}", name=name) for name in settings.frequency_caps]),
        "questions": (asked_doc, sorted(name for name, one in specs.items() if one.spec.questions)),
        "contacts": (history_doc, _of_contacts(kit) if settings.profile.remember else []),
    }
    for name, (doc, readers) in kinds.items():
        number = sum(1 for _ in _bodies(store, doc("")))
        if number:
            yield Field(field=name, held=number, readers=tuple(readers), decisions=None)


def _of_contacts(kit: Kit) -> list[str]:
    return [say("the profile"), say("journeys")] if kit.desk.journeys else [say("the profile")]


def _field(name: str, held: int, readers: Sequence[str], served: Counter[str] | None) -> Field:
    return Field(field=name, held=held, readers=tuple(readers), decisions=None if served is None else served[name])


def _audiences(name: str, specs: Mapping[str, Chooser]) -> list[str]:
    """The experiences that may look at a field: by an audience, or the condition of a question."""
    return sorted(
        experience
        for experience, one in specs.items()
        if any(_covers(read, name) for reads in one.reads.values() for read in reads)
    )


def _covers(read: str, name: str) -> bool:
    """Whether who reads the one may see the other."""
    return read == name or read.startswith(f"{name}.") or name.startswith(f"{read}.")


def _bodies(store: Store, prefix: str) -> Iterator[Mapping[str, Any]]:
    after = ""
    while page := store.scan(prefix, after=after, limit=_PAGE):
        yield from (one.body for one in page)
        after = page[-1].key


# --- what the local file tells --------------------------------------------------------------------


class _Decision(msgspec.Struct):
    experience: str = ""
    variant: str = ""
    reasons: list[str] = []


class _Content(msgspec.Struct):
    decision: _Decision | None = None


class _Event(msgspec.Struct):
    data: _Content


_event: Final = msgspec.json.Decoder(_Event)


def _since_ms() -> int:
    return time.time_ns() // 1_000_000 - _DAYS * _DAY_MS


def _served(kit: Kit, specs: Mapping[str, Chooser]) -> Counter[str] | None:
    """Field to how many decisions looked at it; None if nobody can tell."""
    served: Counter[str] = Counter()
    with opened_local(kit.settings) as local:
        if local is None:
            return None
        asked = "SELECT payload FROM interactions WHERE experience IS NOT NULL AND at_ms >= ?"
        for (payload,) in local.execute(asked, (_since_ms(),)):
            served.update(_looked_at(payload, specs))
    return served


def _looked_at(payload: str, specs: Mapping[str, Chooser]) -> set[str]:
    try:
        decision = _event.decode(payload).data.decision
    except msgspec.MsgspecError:
        return set()
    if decision is None:
        return set()
    spec = specs.get(decision.experience)
    fields = {field for one in decision.reasons if (field := field_of(one)) is not None}
    taken = {tried_in(one) for one in decision.reasons}
    return fields | {name for one, reads in (spec.reads if spec else {}).items() if one in taken for name in reads}


def _in_local(kit: Kit) -> dict[str, int]:
    """Field of the context to how many interactions of the last 90 days have it, of those that any has."""
    counts = ", ".join(f"count(json_extract(payload, '$.data.context.{one}'))" for one in _CONTEXT)
    with opened_local(kit.settings) as local:
        if local is None:
            return {}
        asked = f"SELECT {counts} FROM interactions WHERE at_ms >= ?"  # noqa: S608 - of our own names
        row = local.execute(asked, (_since_ms(),)).fetchone()
    return {name: number for name, number in zip(_CONTEXT, row, strict=True) if number}
