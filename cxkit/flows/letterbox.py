"""The letterbox: what is to be known of somebody before anything is sent to them.

What they want, which addresses nothing must be sent to, and what was sent to them lately. The rule is
``rules.preferences``: each document keeps what still decides something, whatever the order in which it came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar, cast

import attrs

from cxkit.flows.documents import (
    Body,
    preference_doc,
    read,
    sent_doc,
    suppression_doc,
    written,
)
from cxkit.flows.people import alive
from cxkit.flows.reading import Reading
from cxkit.model import JSON, GlobalStop, Preference, Suppression
from cxkit.roles import Store
from cxkit.rules.preferences import Act, Sent, abiding, abiding_suppressions, counted, refuses

__all__ = ["Letterbox", "decided_at", "made", "read_letterbox", "write_act", "write_sent", "write_suppression"]

T = TypeVar("T", Preference, GlobalStop, Suppression, Sent)


@attrs.frozen(kw_only=True)
class Letterbox:
    """What is to be known of somebody before anything is sent to them."""

    acts: tuple[Act, ...] = ()
    suppressions: Mapping[str, tuple[Suppression, ...]] = attrs.field(factory=dict)
    """By the key of the address."""
    sent: tuple[Sent, ...] = ()

    def with_more(self, more: Letterbox) -> Letterbox:
        """Both together."""
        keys = {**self.suppressions, **more.suppressions}
        return Letterbox(
            acts=tuple(abiding((*self.acts, *more.acts))),
            suppressions={
                key: tuple(abiding_suppressions((*self.suppressions.get(key, ()), *more.suppressions.get(key, ()))))
                for key in keys
            },
            sent=tuple(counted((*self.sent, *more.sent))),
        )


def made(kind: type[T], properties: Mapping[str, JSON], *, id: str, at: datetime) -> T:
    """What a command says.

    Raises:
        ValueError: It says no such thing.
    """
    refusing = properties.get("choice") == "denied" or properties.get("lifted") is False
    undoing = refusing or kind is Suppression  # an operator has seen what they lift
    time = cast("Any", decided_at(properties, at) if undoing else at)
    return read({**properties, "id": id, "at": time, "decided_at": time}, kind)


def decided_at(properties: Mapping[str, Any], at: datetime) -> datetime:
    """When a refusal counts as made: where it says a later time than its own, it has seen what is of that time.

    Raises:
        ValueError: It says a time that is none.
    """
    told = properties.get("decided_at")
    return at if told is None else max(at, datetime.fromisoformat(str(told)))


def read_letterbox(
    store: Store,
    theirs: Iterable[str],
    addresses: Iterable[str],
    *,
    more: Mapping[str, Letterbox] = {},
    own: Callable[[str, str], bool] = lambda key, id: True,
) -> Letterbox:
    """What the store knows.

    Args:
        theirs: Keys of the person's identifiers.
        addresses: Keys of what may be written to.
        more: Key to what commands add that are not committed yet.
        own: Whether what was recorded under a key with this id is the person's: others may use their device, too.

    Raises:
        StoreError: It cannot be read now.
    """
    of, at = list(theirs), list(addresses)
    names = [*map(preference_doc, of), *map(sent_doc, of), *map(suppression_doc, at)]
    bodies = {name: one.body for name, one in store.get_many(names).items()}
    acts: list[Act] = []
    sent: list[Sent] = []
    for key in of:
        new = more.get(key, Letterbox())
        acts += [one for one in (*_acts_in(bodies.get(preference_doc(key), {})), *new.acts) if own(key, one.id)]
        messages = (*_list(bodies.get(sent_doc(key), {}), "messages", Sent), *new.sent)
        sent += [one for one in messages if own(key, one.id)]
    known = {key: _list(bodies.get(suppression_doc(key), {}), "records", Suppression) for key in at}
    suppressions = {key: (*one, *more.get(key, Letterbox()).suppressions.get(key, ())) for key, one in known.items()}
    return Letterbox(
        acts=tuple(abiding(acts)),
        sent=tuple(counted(sent)),
        suppressions={key: tuple(abiding_suppressions(ones)) for key, ones in suppressions.items()},
    )


def write_act(reading: Reading, keys: Iterable[str], act: Act, *, at: datetime) -> None:
    """Add what somebody decided. Of who was erased meanwhile nothing but what they refused, as the erasure left it."""

    def changed(body: Body) -> Body:
        acts = abiding((*_acts_in(body), act))
        return {
            "choices": [written(one) for one in acts if isinstance(one, Preference)],
            "stops": [written(one) for one in acts if isinstance(one, GlobalStop)],
        }

    _rewrite(reading, map(preference_doc, keys if refuses(act) else alive(reading, keys, at)), changed)


def write_suppression(reading: Reading, keys: Iterable[str], suppression: Suppression) -> None:
    """Add an address, or take it back. An erasure does not make an address one that may be written to again."""

    def changed(body: Body) -> Body:
        return {"records": _written(abiding_suppressions((*_list(body, "records", Suppression), suppression)))}

    _rewrite(reading, map(suppression_doc, keys), changed)


def write_sent(reading: Reading, keys: Iterable[str], message: Sent) -> None:
    """Add a message."""

    def changed(body: Body) -> Body:
        return {"messages": _written(counted((*_list(body, "messages", Sent), message)))}

    _rewrite(reading, map(sent_doc, alive(reading, keys, message.at)), changed)


def _rewrite(reading: Reading, names: Iterable[str], changed: Callable[[Body], Body]) -> None:
    listed = list(names)
    bodies = reading.get(listed)
    for name in listed:
        reading.put(name, changed(bodies.get(name, {})))


def _acts_in(body: Body) -> list[Act]:
    return [*_list(body, "choices", Preference), *_list(body, "stops", GlobalStop)]


def _list(body: Body, name: str, kind: type[T]) -> list[T]:
    return [read(one, kind) for one in cast("list[Any]", body.get(name, []))]


def _written(values: Iterable[object]) -> list[JSON]:
    return [written(one) for one in values]
