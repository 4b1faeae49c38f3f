"""What type checkers infer of the face: mypy checks this file, nobody runs it.

A line that must not type-check carries the error it must give; mypy complains when it does not.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator, Iterator
from dataclasses import dataclass
from typing import Any, TypedDict, assert_type

import attrs

import cxkit
from cxkit import Decision, Experience, Money, Touchpoint, Variant


@attrs.frozen
class ItemAdded:
    sku: str
    quantity: int = 1


@dataclass
class Bought:
    sku: str


class Sized(TypedDict):
    size: int


def priced(sku: str, *, cents: int = 0) -> dict[str, object]:
    return {"sku": sku, "cents": cents}


# --- a touchpoint takes what its properties take ---

ITEM_ADDED = cxkit.touchpoint("cart.item_added", stage="consideration", properties=ItemAdded)
BOUGHT = cxkit.touchpoint("cart.bought", properties=Bought)
SIZED = cxkit.touchpoint("cart.sized", properties=Sized)
PRICED = cxkit.touchpoint("cart.priced", properties=priced)
SEEN = cxkit.touchpoint("cart.seen")

assert_type(SEEN, Touchpoint[...])
assert_type(ITEM_ADDED.capture(sku="ALM-200", quantity=1), str | None)
assert_type(ITEM_ADDED.capture("ALM-200"), str | None)
assert_type(BOUGHT.capture(sku="ALM-200"), str | None)
assert_type(SIZED.capture(size=2), str | None)
assert_type(PRICED.capture("ALM-200", cents=250), str | None)
assert_type(SEEN.capture(anything="goes", of=[1]), str | None)

ITEM_ADDED.capture()  # type: ignore[call-arg]
ITEM_ADDED.capture(sku=1)  # type: ignore[arg-type]
ITEM_ADDED.capture(sku="ALM-200", colour="red")  # type: ignore[call-arg]
BOUGHT.capture(1)  # type: ignore[arg-type]
PRICED.capture("ALM-200", 250)  # type: ignore[call-arg]

cxkit.touchpoint("cart.x", stage="consideratoin")  # type: ignore[call-overload]
cxkit.touchpoint("cart.x", priority="urgent")  # type: ignore[call-overload]
cxkit.touchpoint("cart.x", nonsense=1)  # type: ignore[call-overload]

# --- and the same with fields of the envelope ---

VALUE = cxkit.money("24.90", "EUR")
assert_type(VALUE, Money)
assert_type(ITEM_ADDED.on(value=VALUE, cause="1", case="2").capture(sku="ALM-200"), str | None)
ITEM_ADDED.on(value=VALUE).capture(sku=1)  # type: ignore[arg-type]
ITEM_ADDED.on(value="24.90")  # type: ignore[arg-type]
ITEM_ADDED.on(case=4711)  # type: ignore[arg-type]
cxkit.money(24.9, "EUR")  # type: ignore[arg-type]


# --- a decorated function stays what it was ---


@SEEN
def add(one: int, *, other: int = 2) -> int:
    return one + other


@SEEN
async def fetch(sku: str) -> bytes:
    return sku.encode()


@SEEN
def rows(number: int) -> Generator[int, str, float]:
    yield number
    return 1.0


@SEEN
def lines() -> Iterator[str]:
    yield ""


assert_type(add(1, other=3), int)
asked = assert_type(fetch("ALM-200"), Coroutine[Any, Any, bytes])
assert_type(rows(1), Generator[int, str, float])
assert_type(lines(), Iterator[str])
add("1")  # type: ignore[arg-type]
add(1, another=3)  # type: ignore[call-arg]
asked = fetch()  # type: ignore[call-arg]

with SEEN.interaction() as it:
    it.set(step="payment")

# --- experiences ---

HERO = cxkit.experience("home.hero", variants=[Variant(name="gold", content={"title": "Welcome"}, depth=3)])
assert_type(HERO, Experience)
assert_type(HERO.show(), Decision)
assert_type(HERO.decide().variant, str)
Variant("gold")  # type: ignore[call-arg]
Variant(name="gold", content=object())  # type: ignore[arg-type]

# --- scopes ---

with cxkit.scope(channel="phone", phone="+33 1", loyalty=7) as nothing:
    assert_type(nothing, None)
cxkit.scope(evidence="hearsay")  # type: ignore[arg-type]
cxkit.scope(phone=1.5)  # type: ignore[arg-type]


def work(one: int) -> str:
    return str(one)


assert_type(cxkit.carry(work)(1), str)
cxkit.carry(work)("1")  # type: ignore[arg-type]

cxkit.identify(user_id="nancy", traits={"plan": "gold", "sizes": [1, 2.5, None]})
cxkit.identify(user_id=None)  # type: ignore[arg-type]
cxkit.identify(traits={"plan": object()})  # type: ignore[dict-item]
cxkit.grant("analytics", "personalization")
cxkit.withdraw(7)  # type: ignore[arg-type]
assert_type(cxkit.erase(user_id="nancy", timeout_s=1.0), cxkit.Erasure)
assert_type(cxkit.disclose(user_id="nancy"), cxkit.Disclosure)


async def end() -> None:
    assert_type(await cxkit.settled(), bool)
    assert_type(cxkit.flush().complete, bool)
    assert_type(cxkit.stats().captured, int)
