"""Hits: what opened a message or followed a link of it, told and judged; and judged again when later ones say more."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, cast

import attrs

from cxkit.kit import Kit
from cxkit.model import JSON, Facts, Mailing, Message
from cxkit.model.message import Happening
from cxkit_email.settings import Settings
from cxkit_email.urls import parts_of, plain_path
from cxkit_email.verdict import Actor, Hit, Kind, Send, Sign, Verdict, hit_of, judge, revised

__all__ = ["confirm", "judged", "tell", "told_before"]

_HITS: Final = "email hits"
_ROUNDS: Final = 3
_HOW: Final[Mapping[Kind, Happening]] = {"open": "opened", "click": "clicked"}


def tell(
    kit: Kit, settings: Settings, facts: Facts, message: Message, mailing: Mailing, *, kind: Kind, link: int | None
) -> str | None:
    """Capture that a message was opened, or a link of it followed, and what that says of earlier hits.

    Returns:
        The hit's id; None if its recipient does not allow that it is known.

    Raises:
        StoreError: It is captured, and not kept.
    """
    now = kit.intake.stamper.now()
    networks = settings.networks
    secret = kit.desk.keyring.seal(_HITS, bytes.fromhex(message.id))
    hit = hit_of(facts, id=os.urandom(8).hex(), kind=kind, at=now, link=link, secret=secret, scanners=networks)
    before, _ = told_before(message)
    verdict = judge([*before, hit], _send(message, mailing))[hit.id]
    properties = _said(verdict) | ({} if link is None else _where(mailing, link))
    how, machine = _HOW[kind], verdict.actor == "machine"
    kept = kit.messages.hit(message, how, _written(hit, verdict), machine=machine, properties=properties)
    if kept is None:
        return None
    _revise(kit, kept, mailing)
    return hit.id


def confirm(kit: Kit, message: Message, mailing: Mailing, id: str) -> None:
    """Keep that whoever made one of its hits used the page that it led to, and capture what that says of it.

    Raises:
        StoreError: It is not kept.
    """
    hits, told = told_before(message)
    for hit in hits:
        if hit.id == id and "js_confirmed" not in hit.signs:
            sure = attrs.evolve(hit, signs=hit.signs | {"js_confirmed"})
            kept = kit.messages.revised(message, _HOW[hit.kind], _written(sure, told[id]), properties=None)
            if kept is not None:
                _revise(kit, kept, mailing)


def judged(message: Message, mailing: Mailing) -> list[tuple[Hit, Verdict]]:
    """The hits of a message, in order, each with what all of them together say of it."""
    hits, _ = told_before(message)
    verdicts = judge(hits, _send(message, mailing))
    return [(one, verdicts[one.id]) for one in hits]


def told_before(message: Message) -> tuple[list[Hit], dict[str, Verdict]]:
    """The earlier hits of a message, and the last verdict that was told of each."""
    hits, told = [], {}
    for kept in message.hits:
        hit = Hit(
            id=str(kept["id"]),
            kind=cast("Kind", kept["kind"]),
            at=datetime.fromisoformat(str(kept["at"])),
            link=cast("int | None", kept.get("link")),
            signs=frozenset(cast("Sequence[Sign]", kept.get("signs", ()))),
            who=cast("str | None", kept.get("who")),
        )
        hits.append(hit)
        told[hit.id] = Verdict(cast("Actor", kept.get("actor", "unknown")))
    return hits, told


def _revise(kit: Kit, message: Message, mailing: Mailing) -> None:
    """Capture what all hits that are kept say of those of which another thing was told.

    Others may add to them meanwhile, so what was kept is looked at again.
    """
    for _ in range(_ROUNDS):
        hits, told = told_before(message)
        changed = revised(hits, _send(message, mailing), told=told)
        for hit in [one for one in hits if one.id in changed]:
            verdict = changed[hit.id]
            kept = kit.messages.revised(message, _HOW[hit.kind], _written(hit, verdict), properties=_said(verdict))
            if kept is None:
                return
            message = kept
        if not changed:
            return


def _send(message: Message, mailing: Mailing) -> Send:
    links = len(mailing.urls)
    return Send(
        sent_at=message.happened.get("sent", message.at),
        delivered_at=message.happened.get("delivered"),
        links=links,
        hidden=frozenset([links]),
    )


def _written(hit: Hit, verdict: Verdict) -> dict[str, JSON]:
    plain = attrs.asdict(hit)
    return {**plain, "at": hit.at.isoformat(), "signs": sorted(hit.signs), "actor": verdict.actor}


def _said(verdict: Verdict) -> dict[str, JSON]:
    return {"by": verdict.actor, "reasons": list(verdict.reasons)}


def _where(mailing: Mailing, link: int) -> dict[str, JSON]:
    """Which link; of its address no more than what no link of a person's own has."""
    parts = parts_of(mailing.urls[link]) if link < len(mailing.urls) else None
    if parts is None:
        return {"link": link}
    return {"link": link, "host": parts.hostname or "", "path": plain_path(parts.path)}
