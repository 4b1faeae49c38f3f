"""Where each field of the model stands in the canonical form; readers elsewhere rely on it."""

from __future__ import annotations

from functools import reduce
from typing import Any

import attrs
import msgspec
import pytest

from cxkit.codec import decode, encode
from cxkit.model import Interaction
from cxkit.testing.samples import FULL

FIELDS: dict[str, tuple[str, object]] = {
    "id": ("id", FULL.id),
    "occurred_at": ("time", "2026-11-21T10:30:00.000250Z"),
    "name": ("type", "io.cxkit.cart.item_added"),
    "source": ("source", "/shop"),
    "kind": ("cxkind", "transaction"),
    "purpose": ("data.purpose", "personalization"),
    "channel": ("cxchannel", "store"),
    "direction": ("cxdirection", "outbound"),
    "stage": ("cxstage", "purchase"),
    "nature": ("data.nature", "person"),
    "presence": ("data.presence", "offline"),
    "reach": ("data.reach", "indirect"),
    "via": ("data.via", "reseller"),
    "promise": ("data.promise", "answered within one day"),
    "case": ("data.case", "4711"),
    "plugin": ("cxplugin", "cxkit-starlette"),
    "identity": (
        "data.identity.identifiers",
        [
            {"type": "user_id", "value": "nancy", "evidence": "login"},
            {"type": "visitor", "value": "v-1", "evidence": "cookie"},
            {"type": "email", "value": "hash-of-an-address", "evidence": "login"},
        ],
    ),
    "context": ("data.context.session", "s1"),
    "consent": ("data.consent", {"analytics": True, "advertising": False}),
    "outcome": ("data.outcome", "failed"),
    "error": ("data.error", "ValueError"),
    "duration": ("data.duration_ms", 12.5),
    "value": ("data.value", {"amount": "24.90", "currency": "EUR"}),
    "feedback": ("data.feedback", {"scale": "nps", "score": 9}),
    "decision": ("data.decision.variant", "gold"),
    "cause": ("data.cause", FULL.cause),
    "properties": ("data.properties", {"sku": "ALM-200", "note": "for Mary"}),
    "trimmed": ("data.trimmed", {"note": "cut:9000"}),
    "received_at": ("recordedtime", "2026-11-21T10:30:01.000000Z"),
}
INNER: dict[str, object] = {
    "data.context": FULL.context,
    "data.context.page": FULL.context.page,
    "data.context.device": FULL.context.device,
    "data.context.place": FULL.context.place,
    "data.context.acquisition": FULL.context.acquisition,
    "data.context.agent": FULL.context.agent,
    "data.decision": FULL.decision,
    "data.decision.assignment": FULL.decision.assignment,
}
UNTOLD = {("data.decision", name) for name in ("questions", "not_asked", "prefill")}
"""Questions are interactions of their own, and what is known of somebody is theirs."""
EVENT = msgspec.json.decode(encode(FULL))


def at(path: str) -> Any:
    return reduce(lambda found, name: found[int(name) if name.isdigit() else name], path.split("."), EVENT)


@pytest.mark.parametrize("field", FIELDS)
def test_the_field_stands_where_readers_look_for_it(field: str) -> None:
    path, value = FIELDS[field]
    assert at(path) == value


@pytest.mark.parametrize("path", INNER)
def test_the_parts_of_a_value_keep_their_names(path: str) -> None:
    found = at(path)
    for name, value in attrs.asdict(INNER[path], recurse=False).items():  # type: ignore[arg-type]
        if (path, name) in UNTOLD:
            assert name not in found
            continue
        assert name in found
        parts = value if isinstance(value, tuple) else (value,)
        if not any(attrs.has(type(part)) for part in parts):
            assert found[name] == (list(value) if isinstance(value, tuple) else value)


def test_every_field_of_the_model_is_in_the_table_and_filled_in_the_example() -> None:
    assert FIELDS.keys() == {field.name for field in attrs.fields(Interaction)}
    for field in attrs.fields(Interaction):
        assert getattr(FULL, field.name) != field.default
    assert decode(encode(FULL)) == FULL


def test_nothing_else_is_written() -> None:
    constant = {"specversion": "1.0", "datacontenttype": "application/json"}
    assert {name: EVENT[name] for name in constant} == constant
    paths = [path for path, _ in FIELDS.values()]
    top = {path for path in paths if "." not in path}
    assert EVENT.keys() == top | constant.keys() | {"data", "dataschema"}
    assert EVENT["data"].keys() == {path.split(".")[1] for path in paths if "." in path}
