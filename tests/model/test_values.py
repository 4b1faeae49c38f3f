"""What holds of every noun: frozen, made by keyword, without a default that two could share."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import attrs
import pytest

from cxkit import model
from cxkit.model import (
    Consent,
    Context,
    Decision,
    ExperienceSpec,
    Facts,
    Identifier,
    Interaction,
    Money,
    Preference,
    TouchpointSpec,
)
from cxkit.model.consent import Blocked, GlobalStop, Notice, Suppression, Topic
from cxkit.model.profile import Recent, Trait
from tests.codec.test_field_map import FULL

ROOMS = [importlib.import_module(f"cxkit.model.{one.name}") for one in pkgutil.iter_modules(model.__path__)]
NOUNS = sorted(
    {
        value
        for room in ROOMS
        for value in vars(room).values()
        if isinstance(value, type) and attrs.has(value) and value.__module__ == room.__name__
    },
    key=lambda noun: noun.__name__,
)
NOW = FULL.occurred_at
NEEDED: dict[type, dict[str, Any]] = {
    Blocked: {"gate": "export", "purpose": "analytics", "reason": "refused"},
    Consent: {"choices": {"analytics": "granted"}, "decided_at": NOW},
    Decision: {"experience": "a", "variant": "b"},
    ExperienceSpec: {"name": "a"},
    Facts: {"method": "GET", "scheme": "https", "host": None, "path": "/", "headers": {}},
    GlobalStop: {"decided_at": NOW},
    Identifier: {"type": "user_id", "value": "nancy", "evidence": "login"},
    Interaction: {"id": "1", "occurred_at": NOW, "name": "a", "source": "/"},
    Money: {"amount": "1", "currency": "EUR"},
    Notice: {"id": "banner"},
    Preference: {"topic": "news", "channel": "email", "choice": "denied", "decided_at": NOW},
    Recent: {"id": "1", "at": NOW, "name": "a"},
    Suppression: {"channel": "email", "reason": "complaint", "at": NOW},
    Topic: {"name": "news"},
    TouchpointSpec: {"name": "a"},
    Trait: {"value": 1},
    model.Assignment: {"experiment": "a", "variation": "b"},
    model.Experiment: {"name": "a", "variations": ["b"]},
    model.Bounce: {"reason": "mailbox_full"},
    model.Feedback: {"scale": "nps", "score": 1},
    model.Holdout: {"name": "a", "share": 0.1},
    model.JourneySpec: {"name": "a", "steps": ("b", "c")},
    model.Mailing: {"channel": "email", "topic": "news"},
    model.Message: {
        "id": "1",
        "channel": "email",
        "topic": "news",
        "at": NOW,
        "to": Identifier(type="email", value="ab", evidence="token"),
    },
    model.Namespace: {"name": "a", "ranges": [[0, 1]]},
    model.Person: {"id": "1"},
    model.Prerequisite: {"experience": "a"},
    model.Progress: {"journey": "a"},
    model.Question: {"name": "a"},
    model.Report: {"happened": "sent"},
    model.Taken: {"step": "a", "at": NOW},
    model.Variant: {"name": "a"},
}


def made(noun: type) -> Any:
    return noun(**NEEDED.get(noun, {}))


def test_the_nouns_are_found() -> None:
    assert len(NOUNS) >= 19
    assert {Context, Interaction, TouchpointSpec} <= set(NOUNS)


@pytest.mark.parametrize("noun", NOUNS)
def test_a_value_cannot_be_changed(noun: type) -> None:
    value = made(noun)
    for field in attrs.fields(noun):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(value, field.name, None)
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            delattr(value, field.name)
    with pytest.raises((attrs.exceptions.FrozenInstanceError, AttributeError)):
        value.another = 1


@pytest.mark.parametrize("noun", [noun for noun in NOUNS if noun is not Money])
def test_a_value_is_made_by_keyword(noun: type) -> None:
    assert all(field.kw_only for field in attrs.fields(noun))


@pytest.mark.parametrize("noun", NOUNS)
def test_two_values_share_no_container(noun: type) -> None:
    one, other = made(noun), made(noun)
    for field in attrs.fields(noun):
        if field.name not in NEEDED.get(noun, {}) and isinstance(getattr(one, field.name), dict | list):
            assert getattr(one, field.name) is not getattr(other, field.name)


@pytest.mark.parametrize("noun", [noun for noun in NOUNS if noun is not Facts])
def test_equal_values_are_equal(noun: type) -> None:
    assert made(noun) == made(noun)


def test_facts_show_no_header_cookie_or_address() -> None:
    facts = Facts(
        method="GET", scheme="https", host="shop", path="/", headers={"authorization": "Bearer x1"},
        peer="192.0.2.7", cookies={"session": "x2"},
    )  # fmt: skip
    assert not any(secret in repr(facts) for secret in ("x1", "x2", "192.0.2.7"))


def test_the_room_offers_every_noun_the_others_use() -> None:
    inner = {"Device", "Place"}
    assert {noun.__name__ for noun in NOUNS} <= set(model.__all__) | inner
    assert all(hasattr(model, name) for name in model.__all__)
