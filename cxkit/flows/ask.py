"""ask, answer and skip: what is asked of whom, and what becomes of it. The rule is ``rules.questions``.

What was asked is kept under the identifiers of whoever it was asked of: with a login under that alone, for a device
may be shared. What is known of a person is what was asked under all of theirs (`Known.askings`), so that nothing is
written when people are merged or parted. Without a question's purpose nothing at all is kept.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cache
from typing import Final, cast

import attrs

from cxkit.capture.scope import Scope
from cxkit.codec.wire import occurrence
from cxkit.errors import InvalidInteractionError
from cxkit.flows.desk import GOVERNING, Desk
from cxkit.flows.documents import asked_doc, askings_in, askings_written, keys_of
from cxkit.flows.identify import REMEMBERED, STITCHING, nameless, resolved, traits_of
from cxkit.flows.known import Known
from cxkit.flows.people import alive
from cxkit.flows.reading import Reading
from cxkit.flows.stance import Stance
from cxkit.flows.telling import clean_traits, untold
from cxkit.keyring import Keyring
from cxkit.model import (
    JSON,
    Blocked,
    Decision,
    Feedback,
    Identity,
    Interaction,
    Question,
    TouchpointSpec,
    Trait,
    purpose_bits,
)
from cxkit.rules.experience import Chooser
from cxkit.rules.identity import TYPES, Resolution, Types
from cxkit.rules.questions import Act, Asked, Occasion, allows, choose, ended

__all__ = [
    "ANSWERED", "ASKED", "EXPIRED", "FEEDBACK", "SKIPPED", "answer", "answered", "ask", "remembered_asking",
    "skip", "with_questions",
]  # fmt: skip

ASKED: Final = TouchpointSpec(
    name="profile.asked", kind="exposure", direction="outbound", purpose="necessary", priority="critical"
)
SKIPPED: Final = TouchpointSpec(name="profile.skipped", purpose="necessary", priority="critical")
ANSWERED: Final = TouchpointSpec(name="profile.answered", kind="identity", purpose="necessary", priority="critical")
EXPIRED: Final = TouchpointSpec(
    name="profile.expired", kind="measurement", direction="outbound", purpose="personalization"
)
FEEDBACK: Final = TouchpointSpec(name="feedback.given", kind="feedback", priority="critical")

_ACTS: Final[Mapping[str, Act]] = {ASKED.name: "asked", SKIPPED.name: "skipped", ANSWERED.name: "answered"}

_PRIVATE: Final = 2
"""The depth from which on a page is for one person alone."""


# --- asking ---------------------------------------------------------------------------------------


def with_questions(
    desk: Desk, scope: Scope, chooser: Chooser, decision: Decision, attributes: Mapping[str, JSON], *, stance: Stance
) -> Decision:
    """The decision with what the experience asks here and now, and what is known already, for a form.

    Args:
        attributes: What conditions may look at.
    """
    spec, known = chooser.spec, stance.known
    if not spec.questions:
        return decision
    keys = keys_of(desk.keyring, scope.identity)
    proven = scope.identity.proven
    traits = traits_of(desk, scope, known) if proven else {}
    device = scope.context.device
    occasion = Occasion(
        now=desk.intake.stamper.now(),
        subject=next(iter(keys), None),
        proven=proven,
        granted=scope.allowed.granted,
        explicit=_chosen(desk, scope),
        traits=traits,
        askings=known.askings if known is not None else (),
        here=scope.asks,
        channel=scope.context.channel,
        device=device.type if device is not None else None,
        machine=stance.machine,
        late=scope.late,
        pending=stance.pending or known is None,
        shared=known is not None and known.contested,
    )
    chosen = choose(
        spec.questions, occasion, experience=spec.name, holds=lambda one: chooser.asked_when[one.name](attributes)
    )
    filled = {one.name for one in spec.questions if chosen.left_out.get(one.name) == "known"}
    own = bool(filled) and scope.identity.signed_in and known is not None and _own(desk, known, keys)
    return attrs.evolve(
        decision,
        questions=chosen.questions,
        not_asked=chosen.left_out,
        prefill={name: value for name, value in traits.items() if own and name in filled},
    )


def _chosen(desk: Desk, scope: Scope) -> frozenset[str]:
    """The purposes that its person allowed in so many words."""
    return frozenset(purpose for purpose, choice in desk.choices(scope).items() if choice == "granted")


def _allows(desk: Desk, scope: Scope, question: Question) -> bool:
    """Whether they allow what it is for."""
    return allows(question, granted=scope.allowed.granted, explicit=_chosen(desk, scope))


def _own(desk: Desk, known: Known, keys: Collection[str]) -> bool:
    """Whether nobody else uses this device. It belongs to who signed in there first: of others it is no identifier."""
    if not known.shared.keys().isdisjoint(keys):
        return False
    others = {key: desk.under(key, patience_s=0.0) for key in keys if key not in known.keys}
    return all(one is not None and key not in one.shared for key, one in others.items())


def ask(desk: Desk, scope: Scope, decision: Decision) -> None:
    """What a decision asks is shown: it counts as asked, once in a scope."""
    for question in decision.questions:
        if question.name in scope.asks or not _allows(desk, scope, question):
            continue
        scope.asks[question.name] = decision.experience
        _tell_ended(desk, scope, question)
        _told(
            desk,
            scope,
            ASKED,
            question,
            {"experience": decision.experience},
            identity=_asked_of(scope.identity),
            cause=scope.last_contact,
        )


def _tell_ended(desk: Desk, scope: Scope, question: Question) -> None:
    """That an answer has ended: only now, for until it is asked anew nobody needs to know."""
    known = desk.known(scope, patience_s=0.0) or Known()
    last = ended(question, known.askings, now=desk.intake.stamper.now())
    if last is not None:
        spec = _for_purpose(EXPIRED, question.purpose)
        desk.intake.capture(scope, spec, {"question": question.name}, occurrence(cause=last.id))


def private(decision: Decision) -> int:
    """How deep a decision is shown to be: what asks or tells something is for one person alone."""
    return max(decision.depth, _PRIVATE) if decision.questions or decision.prefill else decision.depth


# --- what becomes of it ---------------------------------------------------------------------------


def answer(
    desk: Desk, scope: Scope, question: Question, value: object, *, cause: str | None, patience_s: float
) -> str | None:
    """The scope's customer answered: a trait of theirs, or feedback on what it was asked after.

    Args:
        cause: The interaction that it is about; by default what it was asked after, else the last contact here.
        patience_s: How long to wait for what they refused elsewhere.

    Returns:
        The id of what was captured; None if nothing was: they do not allow what it is for, or no person answers.

    Raises:
        InvalidInteractionError: It is no answer to this question; or one that fills a trait, and nobody has proven
            who they are.
    """
    read = question.read(value)
    occurrence(cause=cause)  # which says what is wrong with it
    scope.enrich()
    known = desk.recall(scope, patience_s=patience_s)
    if scope.machine:
        desk.intake.block(Blocked(gate="capture", purpose=question.purpose, reason="actor", destination=question.name))
        return None
    after = cause or _asked_after(question, known) or scope.last_contact
    keep = _fill if question.scale is None else _rate
    id = keep(desk, scope, question, read, known=known, cause=after)
    scope.asks[question.name] = ""
    return id


def _rate(
    desk: Desk, scope: Scope, question: Question, read: JSON, *, known: Known | None, cause: str | None
) -> str | None:
    """Capture an answer as feedback, as any interaction is: before a choice without a name."""
    if question.sensitive and not _allows(desk, scope, question):
        _block(desk, question, question.purpose)
        return None
    assert question.scale is not None, "what is on no scale fills a trait"
    given = Feedback(scale=question.scale, score=cast("int", read))
    spec = _for_purpose(FEEDBACK, question.purpose)
    id = desk.intake.capture(scope, spec, {"question": question.name}, occurrence(feedback=given, cause=cause))
    if _allows(desk, scope, question) and scope.identity:
        _told(desk, scope, ANSWERED, question, {}, identity=_asked_of(scope.identity), cause=cause)
    return id


def _fill(
    desk: Desk, scope: Scope, question: Question, read: JSON, *, known: Known | None, cause: str | None
) -> str | None:
    """Keep an answer as a trait."""
    name = question.name
    if (missing := _not_allowed(desk, scope, question, known)) is not None:
        _block(desk, question, missing)
        return None
    if not scope.identity.proven:
        raise InvalidInteractionError(
            f'nobody here has proven who they are, so what they answered to "{name}" is nobody\'s',
            fix="identify() the customer first, or let the visitor be recognised",
            code="CX3164",
        )
    told_of = clean_traits({name: Trait(value=read, expires_in_s=question.lasts_s)})
    if (wrong := untold(told_of)) is not None:
        raise wrong
    trait = told_of[name]
    ends: Mapping[str, JSON] = {} if trait.expires_in_s is None else {"expires_in_s": trait.expires_in_s}
    id = _told(
        desk, scope, ANSWERED, question, {"answer": trait.value, **ends}, identity=scope.identity, cause=cause,
        trait=trait,
    )  # fmt: skip
    if name in GOVERNING:
        desk.recall(scope, patience_s=0.0)
    return id


def _block(desk: Desk, question: Question, missing: str) -> None:
    """An answer is not kept without that purpose."""
    desk.intake.block(Blocked(gate="identity", purpose=missing, reason="not_allowed", destination=question.name))


def _not_allowed(desk: Desk, scope: Scope, question: Question, known: Known | None) -> str | None:
    """The purpose without which nothing is kept of an answer, as of any trait; None: it may be kept."""
    granted, seen = scope.allowed.granted, scope.identity
    if not _allows(desk, scope, question):
        return question.purpose
    if [one.type for one in seen.identifiers] != ["visitor"]:
        return None
    if REMEMBERED not in granted:
        return REMEMBERED
    return None if STITCHING in granted or nameless(desk, seen, known) else STITCHING


def _asked_after(question: Question, known: Known | None) -> str | None:
    """What it was asked after, the last time."""
    found = [one for one in (known or Known()).askings if one.question == question.name and one.act == "asked"]
    return max(found, key=lambda one: one.at).after if found else None


def skip(desk: Desk, scope: Scope, question: Question, *, patience_s: float) -> str | None:
    """The scope's customer did not want to answer.

    Returns:
        The id of the command; None if nothing is kept of it.
    """
    scope.enrich()
    desk.recall(scope, patience_s=patience_s)
    scope.asks[question.name] = ""
    if scope.machine or not scope.identity or not _allows(desk, scope, question):
        return None
    return _told(desk, scope, SKIPPED, question, {}, identity=_asked_of(scope.identity))


def _told(
    desk: Desk,
    scope: Scope,
    spec: TouchpointSpec,
    question: Question,
    more: Mapping[str, JSON],
    *,
    identity: Identity,
    cause: str | None = None,
    trait: Trait | None = None,
) -> str | None:
    """The command that says what became of a question; its id, or None if there was no room for it."""
    if not identity:
        return None
    name, act, joined = question.name, _ACTS[spec.name], frozenset(keys_of(desk.keyring, identity))

    def shows(known: Known, /, *, id: str, at: datetime) -> Known:
        told = known if trait is None else known.told({name: trait}, joined, id=id, at=at)
        return told.asked(Asked(question=name, act=act, at=at, id=id, after=cause))

    return desk.command(
        spec,
        scope,
        identity=identity,
        properties={"question": name, **more},
        purposes=purpose_bits(scope.allowed.granted),
        shows=shows,
        occurrence=occurrence(cause=cause),
    )


def _asked_of(identity: Identity) -> Identity:
    """Under which identifiers it is kept: under none that somebody only claims to be."""
    logins = tuple(one for one in identity.identifiers if one.evidence == "login")
    return Identity(identifiers=logins or tuple(one for one in identity.identifiers if one.evidence != "claim"))


@cache
def _for_purpose(spec: TouchpointSpec, purpose: str) -> TouchpointSpec:
    """The touchpoint, governed by what the question is for; one object each, as capture prepares it once."""
    return attrs.evolve(spec, purpose=purpose)


# --- applied --------------------------------------------------------------------------------------


def remembered_asking(reading: Reading, keyring: Keyring, command: Interaction) -> None:
    """Remember what became of a question: it was asked, they did not want to answer, or they did.

    Raises:
        StoreError: It cannot be read now.
        ValueError: It names no question.
    """
    question = command.properties.get("question")
    if not isinstance(question, str):
        raise ValueError("it names no question")
    at, act = command.occurred_at, _ACTS[command.name]
    new = Asked(question=question, act=act, at=at, id=command.id, after=command.cause)
    names = [asked_doc(key) for key in alive(reading, keys_of(keyring, _asked_of(command.identity)), at)]
    bodies = reading.get(names)
    for name in names:
        reading.put(name, askings_written([*askings_in(bodies.get(name, {})), new]))


def answered(reading: Reading, keyring: Keyring, command: Interaction, *, types: Types = TYPES) -> Resolution | None:
    """Remember that they answered, and what, if that is a trait.

    Raises:
        StoreError: It cannot be read now.
        ValueError: It names no question, or tells no trait.
    """
    told, found = command.properties, None
    remembered_asking(reading, keyring, command)
    if "answer" in told:
        trait = Trait(value=told["answer"], expires_in_s=cast("float | None", told.get("expires_in_s")))
        found = resolved(reading, keyring, command, {str(told["question"]): trait}, types=types)
    return found
