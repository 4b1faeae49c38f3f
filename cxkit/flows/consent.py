"""grant, withdraw, choose: the person's choice, from now on; signal and declare: what else decides what is allowed.

The rule is ``rules.consent``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, cast, get_args

import attrs

from cxkit.capture.interruption import let_through
from cxkit.capture.scope import Scope
from cxkit.codec.typed import converter
from cxkit.errors import InvalidInteractionError, nearest
from cxkit.flows.desk import Desk
from cxkit.flows.documents import consent_doc, keys_of, with_consent
from cxkit.flows.identify import STITCHING
from cxkit.flows.known import Choices, Known
from cxkit.flows.letterbox import decided_at
from cxkit.flows.people import alive, opened_by
from cxkit.flows.reading import Reading
from cxkit.flows.telling import misplaced
from cxkit.keyring import Keyring
from cxkit.model import (
    JSON,
    PURPOSES,
    Choice,
    Consent,
    Identifier,
    Identity,
    Interaction,
    Notice,
    TouchpointSpec,
    purpose_bits,
)
from cxkit.model.consent import Method
from cxkit.roles import SignalReader
from cxkit.rules.consent import MAX_SIGNAL_CHARS, all_named, denials, policy_named, record, said, unobjected
from cxkit.rules.identity import TYPES, Types, join, proves, type_of, without

__all__ = ["CONSENT_CHANGED", "answer", "choose", "consented", "declare", "obey", "signalled", "visitor_may_stay"]

CONSENT_CHANGED = TouchpointSpec(name="consent.changed", kind="consent", purpose="necessary", priority="critical")

_WORDS: Final = re.compile("[^\0\ud800-\udfff]{0,200}")
"""A text, and not too long: without NUL and halves of characters."""
_notice: Final = converter(Notice)


def answer(
    desk: Desk, scope: Scope, purposes: Iterable[str], choice: Choice | None, *, method: str, notice: Notice | None
) -> str | None:
    """Record one choice for some purposes; or, with None, that these are granted and all others refused.

    Raises:
        InvalidInteractionError: A purpose, the method or the notice is none, or no purpose is named. What is
            known is chosen all the same.
    """
    chosen, wrong = _known(purposes, needed=choice is not None)
    choices = dict.fromkeys(chosen, choice or "granted")
    if method not in get_args(Method):
        fix = nearest(str(method)[:64], get_args(Method))
        method, wrong = "api", InvalidInteractionError("a choice has a method that is not one", fix=fix, code="CX3123")
    if notice is not None and not _is_sound(notice):
        fix = 'give cxkit.Notice(id="banner", version="4", language="fr") with short texts'
        notice, wrong = None, InvalidInteractionError("a choice has a notice that is not one", fix=fix, code="CX3126")
    id = choose(desk, scope, all_named(choices) if choice is None else choices, method=method, notice=notice)
    if wrong is not None:
        raise wrong
    return id


def choose(
    desk: Desk, scope: Scope, choices: Mapping[str, Choice], *, method: str, notice: Notice | None = None
) -> str | None:
    """Record choices, and let the scope obey them at once.

    An exporter hears of it only if its purposes were allowed before or are now: it must learn of a
    withdrawal, but where something was refused from the start nothing ever arrives, not even that.
    """
    scope.enrich()
    before, aside, granted = scope.identity, scope.aside, scope.allowed.granted
    now, refused_at = _now(desk, scope, denials(choices))
    made: dict[str, tuple[Choice, datetime]] = {
        purpose: (choice, refused_at if choice == "denied" else now) for purpose, choice in choices.items()
    }
    earlier = unobjected(scope.choices) if scope.gpc and not scope.despite_gpc else scope.choices
    scope.choices = {**earlier, **_holding(desk, scope, made)}
    scope.despite_gpc = scope.gpc
    obey(desk, scope)
    told = _told(scope, method=method, notice=notice)
    bits = purpose_bits(granted | scope.allowed.granted)
    concerned = [join(before, scope.identity.identifiers, types=desk.identifying.types)]
    if aside is not None and aside not in concerned[0].identifiers:
        concerned.append(Identity(identifiers=(aside,)))  # a command of its own: it must not link the two
    ids = []
    for identity in concerned:
        for at in sorted({at for _, at in made.values()}):  # one, but where a clock was set back
            chosen = {purpose: one for purpose, one in made.items() if one[1] == at}
            said = told if at == now else {**told, "decided_at": at.isoformat()}
            ids.append(_recorded(desk, scope, identity, chosen, told=said, purposes=bits))
    return next(iter(ids), None)


def _holding(desk: Desk, scope: Scope, made: Choices) -> Choices:
    """What of it holds here: who proved nothing grants here nothing that the one they name refused elsewhere."""
    if not scope.identity or _vouched(desk, scope.identity):
        return made
    refused = denials(scope.recalled)
    return {purpose: one for purpose, one in made.items() if one[0] == "denied" or purpose not in refused}


def _vouched(desk: Desk, identity: Identity) -> frozenset[str]:
    """The keys under which they may grant something."""
    theirs, types = desk.opened_by(identity), desk.identifying.types
    return frozenset(
        key for key, one in keys_of(desk.keyring, identity).items() if key in theirs and _proves(one, types)
    )


def _now(desk: Desk, scope: Scope, denied: Iterable[str]) -> tuple[datetime, datetime]:
    """The time, and that of what is denied now: the latest of what it denies, if a clock ran ahead or was set back."""
    now, purposes = desk.intake.stamper.now(), list(denied)
    known = desk.known(scope, patience_s=0.0) if purposes else None
    held = [scope.choices, scope.recalled, known.choices if known is not None else {}]
    return now, max([now, *(one[purpose][1] for one in held for purpose in purposes if purpose in one)])


def _recorded(
    desk: Desk, scope: Scope, identity: Identity, made: Choices, *, told: Mapping[str, JSON], purposes: int
) -> str | None:
    """The command that records choices under the identifiers of one identity."""
    denied = denials(made)

    def shows(known: Known, /, *, id: str, at: Any) -> Known:
        return known.chose(made)

    def claimed(known: Known, /, *, id: str, at: Any) -> Known:
        return known.chose(denied)

    return desk.command(
        CONSENT_CHANGED,
        scope,
        identity=identity,
        properties={"choices": {purpose: choice for purpose, (choice, _) in made.items()}, **told},
        purposes=purposes,
        shows=shows,
        vouched=_vouched(desk, identity) if len(denied) < len(made) else None,
        claimed=claimed,
        governed=False,
    )


def declare(desk: Desk, scope: Scope, *, residence: str | None, minor: bool) -> None:
    """Say where the scope's person is at home, or that they are a child, or may be.

    Raises:
        InvalidInteractionError: The residence is no ISO 3166 code. Then the strictest policy holds.
    """
    code = scope.home.declared if residence is None else str(residence)[:64].strip().upper()
    scope.home = attrs.evolve(scope.home, declared=code, minor=minor or scope.home.minor)
    obey(desk, scope)
    if residence is not None and (wrong := misplaced(code)) is not None:
        raise wrong


def signalled(desk: Desk, scope: Scope, texts: Mapping[str, str]) -> str | None:
    """Obey what the browser or app says of its owner's choices, and record what that changes.

    Raises:
        InvalidInteractionError: Nobody reads one of the signals.
    """
    scope.enrich()
    readable = {one.signal for one in desk.readers} | {"gpc"}
    heard = {name: str(text) for name, text in texts.items() if name in readable}
    kept = {name: text[:MAX_SIGNAL_CHARS] for name, text in heard.items() if name != "gpc"}
    scope.signals = {**scope.signals, **kept}
    if heard.get("gpc") == "1" and not scope.gpc:
        scope.gpc = True
        obey(desk, scope)
    choices = said(
        (one.purposes, _read(desk, one, heard[one.signal]))
        for one in desk.readers
        if one.signal in heard and one.signal in scope.policy.signals
    )
    held = {purpose: choice for purpose, (choice, _) in scope.choices.items()}
    news = {purpose: choice for purpose, choice in choices.items() if held.get(purpose) != choice}
    id = choose(desk, scope, news, method="api") if news else None
    if unread := texts.keys() - readable:
        fix = nearest(min(unread)[:64], readable)
        raise InvalidInteractionError("nobody reads a signal of that name", fix=fix, code="CX3128")
    return id


def _read(desk: Desk, reader: SignalReader, text: str) -> Mapping[str, Choice] | None:
    """What a signal says to its reader; None: it cannot be read, which is counted, and told once without the text."""
    error: Exception = ValueError("too long")
    if len(text) <= MAX_SIGNAL_CHARS:
        try:
            return dict(reader.read(text))
        except Exception as raised:  # noqa: BLE001 - the one guard around a stranger's code
            let_through(raised)
            error = raised
    kind, name = "unreadable" if isinstance(error, ValueError) else "failed", reader.signal
    desk.intake.fault(f"signal_{kind}.{name}", f"signal {name} was not read: what it may refuse is refused", error)
    return None


def consented(reading: Reading, keyring: Keyring, command: Interaction, *, types: Types = TYPES) -> None:
    """What the command adds to the choices made under each identifier.

    Whoever only claims to be somebody, or typed them in beside a proof of their own, may refuse for them, but grant
    nothing.

    Raises:
        StoreError: It cannot be read now.
        ValueError: It is no choice.
    """
    choices = cast("Mapping[str, Choice]", command.properties["choices"])
    denied = denials(choices)
    theirs = opened_by(reading, keyring, command, types=types) if len(denied) < len(choices) else frozenset()
    vouched = {key: key in theirs and _proves(one, types) for key, one in keys_of(keyring, command.identity).items()}
    lawful = {key: choices if proven else denied for key, proven in vouched.items()}
    keys = alive(reading, [key for key in vouched if lawful[key]], command.occurred_at)
    bodies = reading.get(map(consent_doc, keys))
    for key in keys:
        name = consent_doc(key)
        reading.put(name, with_consent(bodies.get(name), _record(command, lawful[key])))


def _proves(one: Identifier, types: Types) -> bool:
    return proves(type_of(one.type, types), one.evidence)


def _record(command: Interaction, choices: Mapping[str, Choice]) -> Consent:
    properties = cast("Mapping[str, Any]", command.properties)
    notice = properties.get("notice")
    refused = len(denials(choices)) == len(choices)
    return record(
        choices,
        policy=policy_named(properties["policy"]),
        decided_at=decided_at(properties, command.occurred_at) if refused else command.occurred_at,
        id=command.id,
        method=properties["method"],
        touchpoint=properties.get("touchpoint"),
        channel=command.channel,
        notice=None if notice is None else _notice(notice),
        jurisdiction=properties.get("jurisdiction"),
        jurisdiction_from=properties.get("jurisdiction_from", "unknown"),
        signals=properties.get("signals", {}),
    )


def _told(scope: Scope, *, method: str, notice: Notice | None) -> dict[str, JSON]:
    """What a choice says of itself: all that a record of it needs, and nothing of who made it."""
    told: dict[str, JSON] = {"method": method, "policy": scope.policy.name}
    if scope.context.page is not None and scope.context.page.route is not None:
        told["touchpoint"] = scope.context.page.route
    if notice is not None:
        told["notice"] = {key: value for key, value in attrs.asdict(notice).items() if value is not None}
    if scope.jurisdiction.inferred_from != "unknown":
        told["jurisdiction"] = scope.jurisdiction.region
        told["jurisdiction_from"] = scope.jurisdiction.inferred_from
    signals = {**scope.signals, **({"gpc": "1"} if scope.gpc else {})}
    if signals:
        told["signals"] = dict(signals)
    return told


def _is_sound(notice: object) -> bool:
    texts = attrs.astuple(notice, recurse=False) if isinstance(notice, Notice) and notice.id else (0,)
    return all(text is None or (isinstance(text, str) and _WORDS.fullmatch(text)) for text in texts)


def obey(desk: Desk, scope: Scope) -> None:
    """Let the scope be what its person allows now: its policy and choices, who they are, and what waits."""
    desk.govern(scope)
    _recognise(desk, scope)
    if scope.held:
        desk.intake.settle(scope)


def _recognise(desk: Desk, scope: Scope) -> None:
    """Give a visitor who may now be recognised an identifier, or take it from one who may no longer be."""
    if not scope.allowed.recognise:
        scope.change(identity=without(scope.identity, ["visitor"]))
        scope.aside = None
        return
    if not visitor_may_stay(desk, scope):
        return
    visitor = scope.identity.get("visitor") or scope.aside or (scope.issue_visitor and scope.issue_visitor())
    scope.aside = None
    if visitor:
        scope.change(identity=join(scope.identity, [visitor], types=desk.identifying.types))


def visitor_may_stay(desk: Desk, scope: Scope) -> bool:
    """Whether a visitor's identifier may be kept, and beside whoever is signed in."""
    together = not desk.identifying.kiosk and STITCHING in scope.allowed.granted
    return scope.allowed.recognise and (together or not scope.identity.signed_in)


def _known(purposes: Iterable[str], *, needed: bool) -> tuple[list[str], InvalidInteractionError | None]:
    """The purposes that there are, and what is wrong with the rest; raised where there is nothing else."""
    named = [purposes] if isinstance(purposes, str) else list(purposes)
    known = [one for one in named if one in PURPOSES and one != "necessary"]
    error = None
    if len(known) < len(named):
        wrong = str(next(one for one in named if one not in known))[:64]
        what, fix, code = f'"{wrong}" is not a purpose', nearest(wrong, PURPOSES), "CX3121"
        if wrong == "necessary":
            what, fix, code = '"necessary" is nobody\'s choice: it needs none', "leave it out", "CX3133"
        error = InvalidInteractionError(what, fix=fix, code=code)
    elif not known and needed:
        fix = 'name each, e.g. withdraw("advertising")'
        error = InvalidInteractionError("a choice names no purpose", fix=fix, code="CX3122")
    if error is not None and not known and needed:
        raise error
    return known, error
