"""``cxkit why SUBJECT``: how a person is recognised, what they allow, and what was decided for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import attrs
import click

from cxkit.cli.language import count, pair, say
from cxkit.cli.local import file_option, open_local, shown, type_and_value
from cxkit.cli.local.graph import (
    Parted,
    evidence_word,
    graph_as_json,
    graph_lines,
    partings,
    refusal_lines,
    refusals_as_json,
)
from cxkit.cli.local.known import Stored, known_by_name, known_now
from cxkit.cli.local.person import Person, read_person, standing
from cxkit.cli.local.reasons import cap_word, reason_word
from cxkit.cli.local.seen import choices_in, clock
from cxkit.cli.terminal import json_option, print_json, visible
from cxkit.errors import LocalFileError
from cxkit.flows.desk import code_of
from cxkit.flows.known import Known
from cxkit.kit.assembly import identifying_of, policy_of
from cxkit.model import JSON, PURPOSES, Decision, Interaction
from cxkit.rules.consent import REGIONAL, Home, Jurisdiction, Policy, capture_mode, governing
from cxkit.settings import Settings, load

__all__ = ["why"]

_DECISIONS: Final = 5
_ASKINGS: Final = 10
_UNMET: Final = ("CX6105", "CX6108")
"""The local file does not know them, or holds nothing of them any more."""
_MERGE: Final = "merge"
"""How a choice came about that nobody made: two people became one, and did not agree."""


@attrs.frozen(kw_only=True)
class _Chosen:
    """A choice, as far as it is known how it came about."""

    choice: str
    decided_at: datetime
    method: str | None = None
    expires_at: datetime | None = None
    """When it ends, if it does."""
    source: str | None = None
    """The service and the channel it was made in."""


@click.command()
@click.argument("subject")
@click.option("--traits", is_flag=True, help="Show the values of traits, too: they are personal.")
@click.option("--experience", metavar="NAME", help="Decisions of this experience only.")
@click.option(
    "-n",
    "number",
    metavar="NUMBER",
    type=click.IntRange(min=1),
    default=_DECISIONS,
    help="How many of the last decisions: 5.",
)
@json_option
@file_option
def why(*, subject: str, traits: bool, experience: str | None, number: int, as_json: bool, file: Path | None) -> None:
    """How a person is recognised, what they allow, and what was decided for them.

    SUBJECT is a user_id, or TYPE:VALUE: nancy, visitor:7f3a, phone:+33123456789. What happened is
    read from the local file, what is known now from the store, where it can be read.
    """
    settings = load()
    person, stored, parted = _asked(file, subject, settings)
    decisions = _decided(person, experience)
    if as_json:
        graph = {"graph": graph_as_json(stored, parted), "refused": refusals_as_json(person)}
        print_json({**_as_json(person, stored, settings, decisions[:number], traits=traits), **graph})
        return
    for line in (
        *_recognition(person, stored, traits=traits),
        *graph_lines(stored, parted),
        *refusal_lines(person),
        "",
        *_consent(person, stored, settings),
        "",
        *_decisions(decisions, number, experience),
        *_questions(stored),
    ):
        click.echo(line)


def _asked(file: Path | None, subject: str, settings: Settings) -> tuple[Person, Stored | None, tuple[Parted, ...]]:
    """Who it is, as the local file has met them, or else as the store knows them.

    Raises:
        LocalFileError: Neither knows them.
    """
    with ExitStack() as stack:
        connection = None
        try:
            connection = stack.enter_context(open_local(file))
            person = read_person(connection, subject, settings)
            names = [one.identifier for one in person.known_by if one.owner in (None, person.id)]
            stored = known_now(settings, names)
        except LocalFileError as error:
            type, value = type_and_value(subject, identifying_of(settings).types)
            unmet = error.code in _UNMET or (file is None and error.code == LocalFileError.default_code)
            stored = known_by_name(settings, type, value) if unmet else None
            if stored is None or not stored.somebody:
                raise
            person = Person(id=next(iter(stored.names.values())), seen=(), sessions=(), known_by=(), others=0)
        return person, stored, partings(stored, connection)


# --- recognition ----------------------------------------------------------------------------------


def _recognition(person: Person, stored: Stored | None, *, traits: bool) -> Iterator[str]:
    known, linked = (stored.known, stored.linked) if stored else (None, frozenset[str]())
    yield say("recognised: {who}", who=shown(person.id))
    for one in person.known_by:
        yield "  " + pair(f"{shown(one.subject)} ({evidence_word(one.evidence)})", standing(one, person, linked))
    if not person.seen:
        yield "  " + say("the local file has not met them, or holds nothing of them any more")
    if person.others:
        yield "  " + count(
            "{number} other person signed in with one of these: a shared device stays apart",
            "{number} other people signed in with one of these: a shared device stays apart",
            person.others,
        )
    erased_at = stored.erased_at if stored else None
    if erased_at is not None:
        yield "  " + say("erased on {time}", time=clock(erased_at))
        yield from _barred(stored)
    if known is None:
        yield "  " + say("the store cannot be read from here")
    elif known.person is None and (known.contested or person.contested == person.known_by != ()):
        yield "  " + say("known by a device alone that several people use: it may be anybody of them")
    elif known.person is None and erased_at is not None:
        yield "  " + say("the store knows nobody by these identifiers now")
    elif known.person is None:
        yield "  " + say(
            "the store knows nobody by these identifiers: nobody was identified by them (cxkit.identify), or they were "
            "erased"
        )
    else:
        yield "  " + say("the store knows them")
        held = known.values(datetime.now(UTC))
        if held:
            yield "  " + say("traits: {traits}", traits=visible(", ".join(_traits(held, values=traits))))


def _barred(stored: Stored | None) -> Iterator[str]:
    grave = stored.barred(datetime.now(UTC)) if stored else None
    if grave is not None and grave.until is not None:
        yield "  " + say("barred until {time}: no login of theirs is recognised before", time=clock(grave.until))
    elif grave is not None:
        yield "  " + say("barred: no login of theirs is recognised")


def _traits(traits: Mapping[str, JSON], *, values: bool) -> list[str]:
    return [f"{name} = {value}" if values else name for name, value in sorted(traits.items())]


# --- consent --------------------------------------------------------------------------------------


def _chosen(person: Person, stored: Stored | None) -> dict[str, _Chosen]:
    """The choice that holds for each purpose: what the store says, and how it came about from the local file."""
    known, merged_at = (stored.known, {one.at for one in stored.merges}) if stored else (None, set[datetime]())
    made: dict[str, _Chosen] = {}
    for one in (seen.interaction for seen in person.seen if seen.interaction.kind == "consent"):
        for purpose, choice in choices_in(one).items():
            made[purpose] = _Chosen(
                choice=str(choice), decided_at=one.occurred_at, method=_method(one), source=_source(one)
            )
    for purpose, (choice, decided_at) in (known.choices if known else {}).items():
        told = made.get(purpose)
        if told is None or (told.choice, told.decided_at) != (choice, decided_at):
            told = _Chosen(choice=choice, decided_at=decided_at, method=_MERGE if decided_at in merged_at else None)
        made[purpose] = attrs.evolve(told, expires_at=known.until.get(purpose) if known else None)
    return {purpose: one for purpose, one in made.items() if known is None or purpose not in known.ended}


def _method(one: Interaction) -> str | None:
    method = one.properties.get("method")
    return method if isinstance(method, str) else None


def _source(one: Interaction) -> str:
    return f"{one.source} ({one.channel})" if one.channel else one.source


def _consent(person: Person, stored: Stored | None, settings: Settings) -> Iterator[str]:
    known = stored.known if stored else None
    (policy, where, code), chosen = _policy(person, known, settings), _chosen(person, stored)
    browser = _in_browser(person)
    yield say("consent: policy {policy}", policy=policy.name)
    if settings.consent.policy == REGIONAL:
        yield "  " + _region(where, code)
    for purpose in PURPOSES:
        one = chosen.get(purpose)
        if one is not None:
            method = say("by a merge") if one.method == _MERGE else one.method
            told = visible("  ".join(filter(None, (clock(one.decided_at), method, one.source))))
            said = say("granted") if one.choice == "granted" else say("denied")
            until = "  " + say("until {when}", when=clock(one.expires_at)) if one.expires_at else ""
            yield f"  {purpose:<19} {said}  {told}{until}"
        elif known is not None and purpose in known.ended:
            yield f"  {purpose:<19} {say('they allowed it, and that has ended: ask again')}"
        elif purpose in browser and purpose not in policy.granted:
            allowed = say("no choice of theirs; allowed in the browser they last used")
            refused = say("no choice of theirs; refused in the browser they last used")
            yield f"  {purpose:<19} {allowed if browser[purpose] else refused}"
        else:
            yield f"  {purpose:<19} {_unchosen(purpose, policy, settings)}"


def _policy(person: Person, known: Known | None, settings: Settings) -> tuple[Policy, Jurisdiction, str | None]:
    """What holds for them now, as far as that is known outside their visit; what the app declares there is not.

    With it whose law that is, and where it was found that they are, as an ISO 3166 code.
    """
    told = known.values(datetime.now(UTC)) if known else {}
    residence, regional = told.get("residence"), settings.consent.policy == REGIONAL
    home = Home(
        account=None if residence is None else str(residence), account_minor=bool(told.get("minor")),
        known=known is not None or not regional,
    )  # fmt: skip
    places = (code_of(one.interaction.context.place) for one in reversed(person.seen))
    geo = next((place for place in places if place), None)
    policy, where = governing(None if regional else policy_of(settings), home, geo=geo)
    return policy, where, home.account if where.inferred_from == "account" else geo


def _region(where: Jurisdiction, code: str | None) -> str:
    if code is None:
        return say("their region is not known: the strictest holds")
    how = say("by their account") if where.inferred_from == "account" else say("by where they were last")
    return say("their region: {region} ({how})", region=visible(code.upper()), how=how)


def _in_browser(person: Person) -> Mapping[str, bool]:
    """What was last allowed and refused where they were, whoever chose it: somebody else, or Sec-GPC."""
    last = next((one.interaction for one in reversed(person.seen) if one.interaction.channel == "web"), None)
    return last.consent if last else {}


def _unchosen(purpose: str, policy: Policy, settings: Settings) -> str:
    """What the policy says where nothing was chosen."""
    mode = capture_mode(policy.unchosen, purpose, before_choice=settings.consent.before_choice)
    if mode == "full":
        return say("needs no choice")
    if mode == "held":
        return say("no choice: kept in memory until there is one, and no longer than the visit")
    if mode == "undecided":
        return say("no choice: nothing is kept")
    if purpose in policy.anonymous:
        return say("no choice: kept without identifiers")
    return say("no choice: kept without identifiers, and handed to nobody")


# --- decisions ------------------------------------------------------------------------------------


def _decided(person: Person, experience: str | None) -> list[tuple[datetime, Decision]]:
    """What was decided for them and shown, the last first; of one experience, or of all."""
    found = (one.interaction for one in reversed(person.seen))
    decided = [(one.occurred_at, one.decision) for one in found if one.decision is not None]
    return [(at, one) for at, one in decided if experience is None or one.experience == experience]


def _decisions(decided: Sequence[tuple[datetime, Decision]], number: int, experience: str | None) -> Iterator[str]:
    if experience is None:
        yield say("decisions: {number} in all", number=len(decided)) if decided else say("decisions: none")
    elif decided:
        yield say("decisions of {experience}: {number} in all", experience=experience, number=len(decided))
    else:
        yield say("decisions of {experience}: none", experience=experience)
    for at, decision in decided[:number]:
        yield f"  {clock(at)}  {pair(decision.experience, decision.variant)}"
        if decision.capped_by:
            cap = say(
                "depth {depth} of at most {cap}, for {by}",
                depth=decision.depth,
                cap=decision.cap,
                by=cap_word(decision.capped_by),
            )
        else:
            cap = say("depth {depth}, with no cap", depth=decision.depth)
        yield "    " + cap
        yield from (f"    {visible(reason_word(one))}" for one in decision.reasons)


# --- questions ------------------------------------------------------------------------------------


def _questions(stored: Stored | None) -> Iterator[str]:
    """What they were asked, and what became of it: until a question's cooldown is over it is not asked again."""
    askings = stored.known.askings if stored else ()
    if not askings:
        return
    yield ""
    yield say("questions: {number} in all", number=len({one.question for one in askings}))
    words = {"asked": say("asked"), "skipped": say("skipped"), "answered": say("answered")}
    for one in askings[-_ASKINGS:][::-1]:
        yield f"  {clock(one.at)}  {pair(one.question, words[one.act])}"


# --- for programs ---------------------------------------------------------------------------------


def _as_json(
    person: Person,
    stored: Stored | None,
    settings: Settings,
    decisions: Sequence[tuple[datetime, Decision]],
    *,
    traits: bool,
) -> dict[str, object]:
    known = stored.known if stored else None
    chosen, browser = _chosen(person, stored), _in_browser(person)
    grave = stored.barred(datetime.now(UTC)) if stored else None
    policy, where, code = _policy(person, known, settings)
    modes = {
        purpose: capture_mode(policy.unchosen, purpose, before_choice=settings.consent.before_choice)
        for purpose in PURPOSES
    }
    return {
        "subject": person.id,
        "identifiers": [
            {**one.as_json(), "contested": one in person.contested, "claimed": one in person.claimed}
            for one in person.known_by
        ],
        "others": person.others,
        "erased_at": stored.erased_at if stored else None,
        "barred": None if grave is None else {"until": grave.until},
        "store": None if known is None else _stored(known, traits=traits),
        "policy": policy.name,
        "jurisdiction": {**attrs.asdict(where), "code": code},
        "consent": {
            purpose: attrs.asdict(chosen[purpose])
            if purpose in chosen
            else {"choice": None, "browser": browser.get(purpose), "unchosen": modes[purpose]}
            for purpose in PURPOSES
        },
        "decisions": [{"at": at, **attrs.asdict(decision)} for at, decision in decisions],
        "questions": [attrs.asdict(one) for one in (known.askings if known else ())[-_ASKINGS:][::-1]],
    }


def _stored(known: Known, *, traits: bool) -> dict[str, object]:
    held = known.values(datetime.now(UTC))
    return {"recognised": known.person is not None, "traits": held if traits else sorted(held)}
