"""The map from an interaction to the attributes of a log event, as a table.

Names come from the semantic conventions where these have one; the rest begins with ``cx.``. What
the table does not list is in `FIELDS`, or in `NOT_SENT` with the reason; a test compares it with
the model and with docs/how-to/send-to-opentelemetry.md.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from cxkit.codec import SCHEMA

if TYPE_CHECKING:
    from cxkit.model import JSON, Identity, Interaction

__all__ = ["ATTRIBUTES", "FIELDS", "NOT_SENT", "PROPERTY", "SCHEMA_URL", "WORDS", "Row", "attributes_of", "customer_of"]

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.44.0"
"""The version of the semantic conventions whose names and stabilities these are."""

PROPERTY: Final = "cx.p."
"""Before the names of properties."""

Stability = Literal["stable", "release candidate", "development", "cxkit"]
Customer = Literal["hash", "id", "none"]


class Row(NamedTuple):
    """One attribute."""

    path: str
    """The field of `cxkit.model.Interaction`, dotted; empty: of its form."""
    name: str
    stability: Stability
    """In the semantic conventions; or that it is ours."""


ATTRIBUTES: Final = (
    Row("", "cx.schema", "cxkit"),
    Row("id", "cx.event.id", "cxkit"),
    Row("occurred_at", "cx.occurred_at", "cxkit"),
    Row("kind", "cx.kind", "cxkit"),
    Row("name", "cx.name", "cxkit"),
    Row("purpose", "cx.purpose", "cxkit"),
    Row("channel", "cx.channel", "cxkit"),
    Row("direction", "cx.direction", "cxkit"),
    Row("stage", "cx.stage", "cxkit"),
    Row("nature", "cx.nature", "cxkit"),
    Row("presence", "cx.presence", "cxkit"),
    Row("reach", "cx.reach", "cxkit"),
    Row("via", "cx.via", "cxkit"),
    Row("promise", "cx.promise", "cxkit"),
    Row("case", "cx.case", "cxkit"),
    Row("outcome", "cx.outcome", "cxkit"),
    Row("error", "error.type", "stable"),
    Row("duration", "cx.duration_ms", "cxkit"),
    Row("cause", "cx.cause.id", "cxkit"),
    Row("consent", "cx.consent.granted", "cxkit"),
    Row("identity", "user.hash", "development"),
    Row("identity", "user.id", "development"),
    Row("identity", "enduser.pseudo.id", "development"),
    Row("identity", "cx.identity.evidence", "cxkit"),
    Row("context.session", "session.id", "development"),
    Row("context.locale", "cx.locale", "cxkit"),
    Row("context.timezone", "cx.timezone", "cxkit"),
    Row("context.currency", "cx.currency", "cxkit"),
    Row("context.market", "cx.market", "cxkit"),
    Row("context.actor", "cx.actor", "cxkit"),
    Row("context.actor", "user_agent.synthetic.type", "development"),
    Row("context.agent.category", "cx.agent.category", "cxkit"),
    Row("context.agent.name", "cx.agent.name", "cxkit"),
    Row("context.agent.evidence", "cx.agent.evidence", "cxkit"),
    Row("context.page.route", "http.route", "stable"),
    Row("context.page.method", "http.request.method", "stable"),
    Row("context.page.title", "cx.page.title", "cxkit"),
    Row("context.page.engaged_ms", "cx.page.engaged_ms", "cxkit"),
    Row("context.device.type", "cx.device.type", "cxkit"),
    Row("context.device.os", "os.name", "development"),
    Row("context.device.os_version", "os.version", "development"),
    Row("context.device.browser", "user_agent.name", "development"),
    Row("context.device.browser_version", "user_agent.version", "development"),
    Row("context.device.viewport", "cx.device.viewport", "cxkit"),
    Row("context.device.touch", "cx.device.touch", "cxkit"),
    Row("context.device.reduced_motion", "cx.device.reduced_motion", "cxkit"),
    Row("context.device.color_scheme", "cx.device.color_scheme", "cxkit"),
    Row("context.device.save_data", "cx.device.save_data", "cxkit"),
    Row("context.place.country", "geo.country.iso_code", "development"),
    Row("context.place.region", "geo.region.iso_code", "development"),
    Row("context.place.city", "geo.locality.name", "development"),
    Row("context.place.latitude", "geo.location.lat", "development"),
    Row("context.place.longitude", "geo.location.lon", "development"),
    Row("context.place.store", "cx.geo.store", "cxkit"),
    Row("context.place.fences", "cx.geo.fences", "cxkit"),
    Row("context.place.source", "cx.geo.source", "cxkit"),
    Row("context.place.precision", "cx.geo.precision", "cxkit"),
    Row("context.place.accuracy_km", "cx.geo.accuracy_km", "cxkit"),
    Row("context.place.confidence", "cx.geo.confidence", "cxkit"),
    Row("context.acquisition.source", "cx.campaign.source", "cxkit"),
    Row("context.acquisition.medium", "cx.campaign.medium", "cxkit"),
    Row("context.acquisition.campaign", "cx.campaign.name", "cxkit"),
    Row("context.acquisition.term", "cx.campaign.term", "cxkit"),
    Row("context.acquisition.content", "cx.campaign.content", "cxkit"),
    Row("context.acquisition.vendor", "cx.campaign.vendor", "cxkit"),
    Row("context.acquisition.click_id", "cx.campaign.click_id", "cxkit"),
    Row("context.acquisition.referrer", "cx.campaign.referrer", "cxkit"),
    Row("context.acquisition.landing", "cx.campaign.landing", "cxkit"),
    Row("decision.experience", "feature_flag.key", "release candidate"),
    Row("decision.variant", "feature_flag.result.variant", "release candidate"),
    Row("decision.form", "cx.decision.form", "cxkit"),
    Row("decision.content", "cx.decision.content", "cxkit"),
    Row("decision.sequence", "cx.decision.sequence", "cxkit"),
    Row("decision.level", "cx.decision.level", "cxkit"),
    Row("decision.depth", "cx.decision.depth", "cxkit"),
    Row("decision.cap", "cx.decision.cap", "cxkit"),
    Row("decision.capped_by", "cx.decision.capped_by", "cxkit"),
    Row("decision.reasons", "cx.decision.reasons", "cxkit"),
    Row("decision.version", "feature_flag.version", "release candidate"),
    Row("", "feature_flag.result.reason", "release candidate"),
    Row("", "feature_flag.provider.name", "release candidate"),
    Row("decision.assignment.experiment", "cx.experiment.key", "cxkit"),
    Row("decision.assignment.variation", "cx.experiment.variation", "cxkit"),
    Row("decision.assignment.version", "cx.experiment.version", "cxkit"),
    Row("decision.assignment.unit", "cx.experiment.unit", "cxkit"),
    Row("decision.assignment.sticky", "cx.experiment.sticky", "cxkit"),
    Row("decision.assignment.crossed_over", "cx.experiment.crossed_over", "cxkit"),
    Row("decision.holdout.experiment", "cx.holdout.key", "cxkit"),
    Row("decision.holdout.variation", "cx.holdout.variation", "cxkit"),
    Row("decision.holdout.unit", "cx.holdout.unit", "cxkit"),
    Row("value.amount", "cx.value.amount", "cxkit"),
    Row("value.minor", "cx.value.minor", "cxkit"),
    Row("value.currency", "cx.value.currency", "cxkit"),
    Row("feedback.scale", "cx.feedback.scale", "cxkit"),
    Row("feedback.score", "cx.feedback.score", "cxkit"),
    Row("properties", "cx.p.*", "cxkit"),
)
"""All attributes of log events. ``cx.name`` and ``cx.occurred_at`` stand in for fields that cannot hold them."""

FIELDS: Final = {
    "name": "EventName",
    "occurred_at": "Timestamp",
    "received_at": "ObservedTimestamp",
    "outcome": "SeverityNumber, SeverityText",
    "context.traceparent": "TraceId, SpanId, TraceFlags",
    "source": "Resource service.name",
    "plugin": "InstrumentationScope name",
}
"""Fields of the log record itself."""

_NOT_OF_A_HOLDOUT: Final = ("version", "sticky", "crossed_over")
NOT_SENT: Final = {
    "context.channel": "the interaction's own channel is sent",
    "decision.fallback": "the reason of the flag tells it",
    **dict.fromkeys((f"decision.holdout.{name}" for name in _NOT_OF_A_HOLDOUT), "a holdout has none"),
    "decision.questions": "what was asked is an interaction of its own",
    "decision.not_asked": "likewise, what was not",
    "decision.prefill": "what is known of somebody is in no interaction",
    "trimmed": "it names properties that are not allow-listed",
}

_BESIDES: Final = {"", "name", "occurred_at", "identity", "context.place.region", "properties"}
"""What is not read by the table alone."""


def _granted(consent: Mapping[str, bool]) -> JSON:
    return [purpose for purpose, allowed in consent.items() if allowed] or None


def _listed(texts: tuple[str, ...]) -> JSON:
    return list(texts) or None


def _known(actor: str) -> JSON:
    return None if actor == "unknown" else actor


_CONVERTED: Final[Mapping[str, Callable[[Any], JSON]]] = {
    "cx.duration_ms": lambda duration: duration / timedelta(milliseconds=1),
    "cx.consent.granted": _granted,
    "cx.actor": _known,
    "user_agent.synthetic.type": lambda actor: "bot" if actor == "bot" else None,
    "cx.value.amount": str,
    "cx.agent.evidence": _listed,
    "cx.decision.reasons": _listed,
    "cx.geo.fences": _listed,
}


_REASONS: Final = {"split": "split", "targeting": "targeting_match", "default": "default"}
"""In the words of the convention."""

_Rows: TypeAlias = "tuple[tuple[str, str, Callable[[Any], JSON] | None], ...]"
"""Field of an object, attribute, and how the one becomes the other if not as it is."""


def _groups() -> Iterator[tuple[tuple[str, ...], _Rows]]:
    """The table by the object whose fields they are: each is looked up once."""
    rows = [(*row.path.rpartition("."), row.name) for row in ATTRIBUTES if row.path not in _BESIDES]
    for parent in dict.fromkeys(row[0] for row in rows):
        held = tuple((field, name, _CONVERTED.get(name)) for above, _, field, name in rows if above == parent)
        yield tuple(filter(None, parent.split("."))), held


_GROUPS: Final = tuple(_groups())

_PERSONAL: Final = {"identity", "id", "cause", "case", "context.session"}
WORDS: Final = frozenset(row.name for row in ATTRIBUTES if row.path not in _PERSONAL | {"duration", "value.amount"})
"""Attributes whose values are few and nobody's, so that it pays, and harms nobody, to keep them encoded."""


def attributes_of(
    one: Interaction, *, customer: Callable[[Identity], Iterable[tuple[str, str]]], properties: Collection[str]
) -> list[tuple[str, JSON]]:
    """The attributes of the log event that an interaction becomes; what is not known is left out.

    Args:
        customer: What is said of the customer, see `customer_of`.
        properties: The names of properties to send; ``*`` is all of them.
    """
    found: list[tuple[str, JSON]] = [("cx.schema", SCHEMA)]
    for path, rows in _GROUPS:
        held: Any = one
        for field in path:
            held = None if held is None else getattr(held, field)
        if held is not None:
            _read(held, rows, found)
    place = one.context.place
    if place is not None and place.country and place.region:
        found.append(("geo.region.iso_code", f"{place.country}-{place.region}"))
    if one.decision is not None:
        found += [("feature_flag.result.reason", _REASONS[one.decision.by]), ("feature_flag.provider.name", "cxkit")]
    if one.identity:
        found += customer(one.identity)
    sent = one.properties if "*" in properties else [name for name in one.properties if name in properties]
    found += [(PROPERTY + name, one.properties[name]) for name in sent]
    return found


def _read(held: object, rows: _Rows, found: list[tuple[str, JSON]]) -> None:
    for field, name, convert in rows:
        value = getattr(held, field)
        if value is not None and convert is not None:
            value = convert(value)
        if value is not None:
            found.append((name, value))


def customer_of(how: Customer, key: Callable[[str, str], bytes]) -> Callable[[Identity], Iterable[tuple[str, str]]]:
    """What may be said of a customer: names and values.

    Args:
        how: ``hash`` names a user by a keyed hash, ``id`` by the id itself; ``none`` says nothing
            at all, not even the visitor's random identifier.
        key: The keyed hash of an identifier's type and value.
    """

    def said(identity: Identity) -> Iterator[tuple[str, str]]:
        user, visitor = identity.get("user_id"), identity.get("visitor")
        if user is not None and how == "id":
            yield "user.id", user.value
        elif user is not None:
            yield "user.hash", key("user_id", user.value).hex()
        if visitor is not None:
            yield "enduser.pseudo.id", visitor.value
        strongest = user or visitor
        if strongest is not None:
            yield "cx.identity.evidence", strongest.evidence

    return (lambda identity: iter(())) if how == "none" else said
