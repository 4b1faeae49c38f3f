"""The capture gate: what is kept for every combination of policy, choices, purpose and setting."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import msgspec
import pytest

from cxkit.capture.gate import HELD, Prepared, prepare, prepare_command
from cxkit.capture.scope import Scope
from cxkit.codec import COMMAND, INTERACTION, NOBODY, decode
from cxkit.codec.wire import assemble
from cxkit.kit import Kit
from cxkit.model import (
    PURPOSES,
    Choice,
    Context,
    Identifier,
    Identity,
    Interaction,
    Page,
    Place,
    TouchpointSpec,
    purpose_bits,
)
from cxkit.rules.consent import STRICT, BeforeChoice, Policy, allowed
from cxkit.settings import Settings

NANCY = Identity(identifiers=(Identifier(type="user_id", value="nancy", evidence="login"),))
KEY = b"k" * 16
WHERE = Context(
    channel="web", session="s1", traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", locale="fr",
    page=Page(route="/"), place=Place(country="FR", region="75", city="Paris"),
)  # fmt: skip
POLICIES = [
    STRICT,
    Policy(name="nothing", granted=frozenset({"necessary"}), anonymous=frozenset()),
    Policy(name="open", granted=frozenset(PURPOSES), anonymous=frozenset(PURPOSES)),
    Policy(name="mixed", granted=frozenset({"necessary", "analytics"}), anonymous=frozenset({"advertising"})),
]
SETTINGS: tuple[BeforeChoice, ...] = ("hold", "anonymise", "drop")


@pytest.fixture(scope="module")
def kit() -> Iterator[Kit]:
    kit = Kit(Settings(), in_memory=True)
    yield kit
    kit.close()


def scope_with(kit: Kit, policy: Policy, choices: dict[str, Choice], *, gpc: bool = False) -> Scope:
    return Scope(kit, identity=NANCY, context=WHERE, gpc=gpc, policy=policy, allowed=allowed(policy, choices, gpc=gpc))


def asked(scope: Scope, before: BeforeChoice, purpose: str = "analytics", **declared: Any) -> Prepared:
    spec = TouchpointSpec(name="cup.filled", purpose=purpose, **declared)
    return prepare(spec, scope, source="/bar", before_choice=before, subject=lambda _: KEY)


def kept(prepared: Prepared) -> Interaction:
    return decode(assemble("1", "2026-11-21T10:30:00Z", prepared.shared, b"", msgspec.json.encode({})))


def expected(policy: Policy, choice: Choice | None, purpose: str, before: str, gpc: bool) -> str:
    """The house's rule once more, in its own words."""
    objected = gpc and purpose in ("advertising", "sale_share")
    if purpose == "necessary":
        return "full"
    if choice == "denied" or objected:
        return f"consent_refused:{purpose}"
    if choice == "granted" or purpose in policy.granted:
        return "full"
    return {"anonymise": "anonymous", "hold": HELD}.get(before, f"consent_undecided:{purpose}")


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
@pytest.mark.parametrize("purpose", PURPOSES)
def test_every_combination(kit: Kit, policy: Policy, purpose: str) -> None:
    choices: tuple[Choice | None, ...] = (None, "granted", "denied")
    for choice, before, gpc in product(choices, SETTINGS, (False, True)):
        scope = scope_with(kit, policy, {purpose: choice} if choice else {}, gpc=gpc)
        prepared = asked(scope, before, purpose)
        verdict = expected(policy, choice, purpose, before, gpc)
        if verdict not in ("full", "anonymous"):
            assert prepared.refusal == verdict
            assert (prepared.shared, prepared.subject, prepared.purposes) == (b"", NOBODY, 0)
            continue
        assert (prepared.refusal, prepared.own, prepared.type) == (None, PURPOSES.index(purpose), INTERACTION)
        one = kept(prepared)
        assert one.consent == scope.allowed.as_map()
        if verdict == "full":
            assert (one.identity, one.context, prepared.subject) == (NANCY, WHERE, KEY)
            assert prepared.purposes == purpose_bits(scope.allowed.granted)
        else:
            assert (one.identity, prepared.subject) == (Identity(), NOBODY)
            # Never what the person granted for themselves: nobody could ask whether they still do.
            assert prepared.purposes & ~purpose_bits(policy.granted | policy.anonymous) == 0
            assert prepared.purposes & purpose_bits(scope.allowed.denied) == 0
            assert prepared.purposes >> PURPOSES.index("necessary") & 1 == (
                "necessary" in policy.granted | policy.anonymous
            )


def test_an_anonymous_interaction_singles_nobody_out(kit: Kit) -> None:
    one = kept(asked(scope_with(kit, STRICT, {}), "anonymise"))
    assert b"nancy" not in asked(scope_with(kit, STRICT, {}), "anonymise").shared
    assert one.context == Context(channel="web", locale="fr", page=Page(route="/"), place=Place(country="FR"))


def test_what_was_denied_is_not_served_by_going_anonymous(kit: Kit) -> None:
    scope = scope_with(kit, STRICT, {"analytics": "denied"})
    assert asked(scope, "anonymise").refusal == "consent_refused:analytics"
    functional = asked(scope, "anonymise", "functional")
    assert functional.refusal is None
    assert not functional.purposes & purpose_bits(["analytics"])


@pytest.mark.parametrize(("priority", "number"), [("low", 0), ("normal", 1), ("critical", 2)])
def test_priority_goes_along(kit: Kit, priority: Any, number: int) -> None:
    scope = scope_with(kit, STRICT, {})
    assert asked(scope, "anonymise", priority=priority).priority == number


def test_the_channel_is_the_touchpoints_own_else_that_of_the_scope(kit: Kit) -> None:
    scope = scope_with(kit, STRICT, {})
    assert kept(asked(scope, "anonymise")).channel == "web"
    assert kept(asked(scope, "anonymise", channel="store")).channel == "store"


def test_enrichers_are_asked_before_the_gate_lets_anything_through(kit: Kit) -> None:
    from cxkit.model import Facts

    scope = scope_with(kit, STRICT, {})
    scope.facts = Facts(method="GET", scheme="https", host=None, path="/", headers={})
    scope.on_first_use(lambda facts, context: Context(channel="web", currency="EUR"))
    assert kept(asked(scope, "anonymise")).context.currency == "EUR"


def test_no_gate_stops_a_command(kit: Kit) -> None:
    scope = scope_with(kit, STRICT, dict.fromkeys(PURPOSES, "denied"))
    spec = TouchpointSpec(name="consent.changed", kind="consent", purpose="necessary", priority="critical")
    prepared = prepare_command(spec, scope, identity=NANCY, purposes=5, subject=KEY, source="/bar")
    assert (prepared.refusal, prepared.type, prepared.purposes, prepared.subject) == (None, COMMAND, 5, KEY)
    one = kept(prepared)
    assert (one.identity, one.context) == (NANCY, Context(channel="web", locale="fr"))
