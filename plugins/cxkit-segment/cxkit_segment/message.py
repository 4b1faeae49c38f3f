"""An interaction as a message of the Segment specification; pure.

Which identifiers go along is decided here, more narrowly than the specification would allow, since
whatever Segment or RudderStack sees together in one message they join for ever:

* Only what a login or a signed cookie proves identifies. What a client claims and what a link in a
  message carries (``claim``, ``token``) is not sent.
* The visitor's device and the person who signed in go together only if this person allowed
  ``identity_stitching``. Else the person alone.
* Further types, such as a loyalty card, only if the operator names them. A contact is never
  anything but its keyed hash, and goes under ``email_hash`` or ``phone_hash``, so that nobody takes
  it for an address.
* Where nobody is recognised a message needs an ``anonymousId`` all the same: by default the
  interaction's own id, which nothing else has.

Source: Segment specification (Spec: Common, Identify, Track, Page, Screen; A/B testing; consent in
event payloads).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import Any, Final, Literal

import attrs

from cxkit.model import Context, Interaction

__all__ = ["NOBODY", "Unrecognised", "message_of"]

Unrecognised = Literal["each", "one"]

NOBODY: Final = "cxkit-unrecognised"
"""The ``anonymousId`` that all share who are not recognised, with ``unrecognised = "one"``."""

_PROVEN: Final = frozenset({"login", "cookie"})
_CONTACTS: Final = frozenset({"email", "phone"})
_TYPES: Final = {"page.viewed": "page", "screen.viewed": "screen", "identity.identified": "identify"}
_CONSENT_EVENT: Final = "Segment Consent Preference Updated"
_EXPOSURE_EVENT: Final = "Experiment Viewed"


def _version() -> str:
    try:
        return version("cxkit-segment")
    except PackageNotFoundError:  # run from its sources
        return "0"


_LIBRARY: Final = {"name": "cxkit-segment", "version": _version()}


def message_of(
    one: Interaction,
    *,
    names: Mapping[str, str] = MappingProxyType({}),
    external_ids: Collection[str] = (),
    unrecognised: Unrecognised = "each",
    categories: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> dict[str, Any]:
    """The message that an interaction becomes.

    Args:
        categories: The consent categories of the other side, each with the purposes it stands for; none: the purposes.
        names: Touchpoint to the name of the event, where it shall be another.
        external_ids: Types of further identifiers that may be sent.
        unrecognised: Whether messages of nobody have an ``anonymousId`` each, or `NOBODY` for all.

    Example:
        >>> from datetime import UTC, datetime
        >>> one = Interaction(
        ...     id="01a3185c-5000-7000-b000-000000000001",
        ...     occurred_at=datetime(2027, 1, 15, 8, 0, tzinfo=UTC),
        ...     name="cart.item_added",
        ...     source="/shop",
        ...     properties={"sku": "ALM-200"},
        ... )
        >>> message = message_of(one, names={"cart.item_added": "Product Added"})
        >>> message["type"], message["event"], message["properties"]["sku"], message["timestamp"]
        ('track', 'Product Added', 'ALM-200', '2027-01-15T08:00:00.000000Z')
    """
    proven = _proven(one)
    who = {"userId": proven.get("user_id"), "anonymousId": proven.get("visitor")}
    kind = _TYPES.get(one.name, "track")
    if not any(who.values()):
        who["anonymousId"] = one.id if unrecognised == "each" else NOBODY
        kind = "track" if kind == "identify" else kind
    message: dict[str, Any] = {
        "type": kind,
        "messageId": one.id,
        "timestamp": one.occurred_at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        **_present(**who),
        "context": _context(one)
        | _present(consent=_consent(one, categories), externalIds=_external(proven, external_ids)),
    }
    if kind == "identify":
        return message | {"traits": dict(one.properties)}
    if kind == "track":
        message["event"] = names.get(one.name) or _event_of(one)
    else:
        page = one.context.page
        name = names.get(one.name) or (page and (page.title or page.route))
        message |= _present(name=name)
    # The app's own property stands where one of ours has the same name.
    return message | {"properties": _surroundings(one) | dict(one.properties)}


def _proven(one: Interaction) -> dict[str, str]:
    """Type to value of the identifiers that may be seen together."""
    proven = {found.type: found.value for found in one.identity.identifiers if found.evidence in _PROVEN}
    if len(proven) > 1 and not one.consent.get("identity_stitching"):
        proven.pop("visitor", None)
    return proven


def _external(proven: Mapping[str, str], allowed: Collection[str]) -> list[dict[str, str]]:
    return [
        {
            "id": value,
            "type": f"{type}_hash" if type in _CONTACTS else type,
            "collection": "users",
            "encoding": "none",
        }
        for type, value in proven.items()
        if type in allowed
    ]


def _event_of(one: Interaction) -> str:
    if one.name == "consent.changed" and one.consent:  # without categories Segment would not take it
        return _CONSENT_EVENT
    return _EXPOSURE_EVENT if one.kind == "exposure" and one.decision is not None else one.name


def _context(one: Interaction) -> dict[str, Any]:
    context = one.context
    place, device, acquisition, page = context.place, context.device, context.acquisition, context.page
    return _present(
        library=_LIBRARY,
        app={"name": one.source},
        locale=context.locale,
        timezone=context.timezone,
        traceparent=context.traceparent,
        page=page and _present(path=page.route, title=page.title),
        device=device and _present(type=device.type),
        os=device and _present(name=device.os, version=device.os_version),
        browser=device and _present(name=device.browser, version=device.browser_version),
        screen=device and _present(width=device.viewport),
        location=place
        and _present(
            country=place.country,
            region=place.region,
            city=place.city,
            latitude=place.latitude,
            longitude=place.longitude,
        ),
        campaign=acquisition
        and _present(
            name=acquisition.campaign,
            source=acquisition.source,
            medium=acquisition.medium,
            term=acquisition.term,
            content=acquisition.content,
        ),
    )


def _consent(one: Interaction, categories: Mapping[str, Collection[str]]) -> dict[str, Any] | None:
    """What was allowed: a category if all its purposes were, so that an undecided one is refused."""
    if not one.consent:
        return None
    allowed = {purpose for purpose, granted in one.consent.items() if granted}
    mapped = {id: bool(purposes) and allowed.issuperset(purposes) for id, purposes in categories.items()}
    return {"categoryPreferences": mapped or dict(one.consent)}


def _surroundings(one: Interaction) -> dict[str, Any]:
    """What the specification has no place for, under names of ours; defaults are left out."""
    feedback = one.feedback
    return _present(
        kind=one.kind,
        stage=one.stage,
        channel=one.channel,
        direction=None if one.direction == "inbound" else one.direction,
        nature=one.nature,
        presence=None if one.presence == "online" else one.presence,
        reach=None if one.reach == "direct" else one.reach,
        via=one.via,
        promise=one.promise,
        case=one.case,
        outcome=one.outcome,
        error=one.error,
        duration_ms=None if one.duration is None else one.duration.total_seconds() * 1000,
        causation_id=one.cause,
        feedback=feedback and {"scale": feedback.scale, "score": feedback.score},
        plugin=one.plugin,
        trimmed=dict(one.trimmed),
        **_money(one),
        **_shown(one),
        **_seen(one.context),
    )


def _money(one: Interaction) -> dict[str, Any]:
    if one.value is None:
        return {}
    name = "revenue" if one.kind == "transaction" else "value"
    return {name: one.value.amount, "currency": one.value.currency}


def _shown(one: Interaction) -> dict[str, Any]:
    decision = one.decision
    if decision is None:
        return {}
    given, part = decision.assignment, decision.holdout
    tested = decision.experience if given is None else given.experiment
    return {
        "experiment_id": tested,
        "experiment_name": tested,
        "variation_id": decision.variant,
        "variation_name": decision.variant,
        "decision": _present(
            form=decision.form,
            content=decision.content,
            sequence=decision.sequence,
            level=decision.level,
            depth=decision.depth,
            cap=decision.cap,
            capped_by=decision.capped_by,
            reasons=list(decision.reasons),
            experience=decision.experience,
            version=decision.version or None,
            fallback=decision.fallback or None,
            assignment=given and attrs.asdict(given),
            holdout=part and {"experiment": part.experiment, "variation": part.variation, "unit": part.unit},
        ),
    }


def _seen(context: Context) -> dict[str, Any]:
    page = context.page
    return {
        "session_id": context.session,
        "is_bot": True if context.actor == "bot" else None,
        "path": page and page.route,
        "title": page and page.title,
        "method": page and page.method,
        "engaged_ms": page and page.engaged_ms,
    }


def _present(**fields: Any) -> dict[str, Any]:
    """Those that say something."""
    return {name: value for name, value in fields.items() if value is not None and value != {} and value != []}
