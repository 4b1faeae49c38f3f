"""What the store is for, told as one story in Candy Haven; as a test to inherit. Needs pytest, uvicorn and a checkout.

::

    class TestMyStory(StorySuite):
        @pytest.fixture
        def where(self):
            return Elsewhere(factory="my_store:FACTORY", table={"url": ...})

Nancy browses anonymously on one device, signs in, opens the shop on a second, calls support, withdraws analytics
consent in one process and is obeyed in the other within a second, and is erased with nothing left to find; her
sister's sign-in on the same device does not merge them; her paid subscription never signs her up for the free
newsletter.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from cxkit.flows.documents import Ledger, read
from cxkit.model import Interaction
from cxkit.testing.store_elsewhere import Elsewhere
from cxkit.testing.story_haven import Haven, as_processes, candy_haven, until

__all__ = ["StorySuite"]

logger = logging.getLogger("cxkit")

NANCY: Final = "+33 6 39 98 12 34"
ODILE: Final = "+33 6 39 98 56 78"
LETTER: Final = "nancy@example.com"
CARD: Final = "4000 0000 0000 0002"
GOLD: Final = "your gold box is on us"
COUNTED: Final = "Counting visits"


class StorySuite:
    """Inherit it, and give the fixture `where`; or, for a store that cannot leave its process, `haven`."""

    @pytest.fixture
    def where(self) -> Elsewhere:
        """How any process opens the store."""
        raise NotImplementedError("give the fixture `where`")

    @pytest.fixture
    def shop(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
        """Candy Haven can be imported; where its files go."""
        with candy_haven(request.config.rootpath, tmp_path):
            yield tmp_path

    @pytest.fixture
    def haven(self, shop: Path, where: Elsewhere) -> Iterator[Haven]:
        """Candy Haven, open."""
        directory = shop / "haven"
        directory.mkdir()
        with as_processes(directory, where) as haven:
            yield haven

    def test_nancy_is_known_obeyed_and_forgotten(self, haven: Haven) -> None:
        """The whole story, in its order."""
        laptop, phone = haven.browser(0), haven.browser(1)
        browses_anonymously(haven, laptop)
        signs_in(haven, laptop)
        opens_the_shop_on_a_second_device(haven, phone)
        calls_support(haven, phone)
        subscribes(haven, laptop)
        logger.info("obeyed in the other process after %.3f s", withdraws(haven, laptop, phone))
        her_sister_signs_in(haven, laptop)
        is_erased(haven, laptop, phone)


def browses_anonymously(haven: Haven, laptop: Any) -> None:
    """She is recognised once she allows it, and has no name."""
    laptop.open("/")
    assert not laptop.holds("cxkit_visitor"), "nothing recognises her before she allows it"
    laptop.open("/consent", choice="accept")
    laptop.open("/sweets/ALM-200")
    (viewed,) = arrived(haven, "product.viewed", 1)
    assert [one.type for one in viewed.identity.identifiers] == ["visitor"]
    assert not haven.documents("person"), "a visitor is nobody yet"


def signs_in(haven: Haven, laptop: Any) -> None:
    """What she did before is hers."""
    (before,) = arrived(haven, "product.viewed", 1)
    laptop.open("/login", name="nancy", password="amande")
    until(lambda: types_of(haven) == [["email", "phone", "user_id", "visitor"]], "one person, with her device")
    login, *_ = arrived(haven, "identity.identified", 1)
    assert login.identity.get("visitor") == before.identity.get("visitor")
    until(lambda: GOLD in laptop.open("/").heading, "she is shown what is for gold customers")


def opens_the_shop_on_a_second_device(haven: Haven, phone: Any) -> None:
    """The other process knows her as the same, and later without a login."""
    phone.open("/consent", choice="accept")
    phone.open("/login", name="nancy", password="amande")
    both = [["email", "phone", "user_id", "visitor", "visitor"]]
    until(lambda: types_of(haven) == both, "still one person, with two devices")
    phone.restart()
    until(lambda: GOLD in phone.open("/").heading, "her phone is recognised, though she did not sign in")


def calls_support(haven: Haven, phone: Any) -> None:
    """A third process knows the caller by her number, and the call belongs to the case."""
    case = phone.open("/support", topic="discounts").found("(case-[0-9a-f]+)")
    assert haven.call(NANCY, "discounts", case) == "a gold customer calls about discounts"
    assert haven.call("+33 6 39 98 00 00", "discounts", case) == "somebody calls about discounts"
    calls = arrived(haven, "call.answered", 1)
    (asked,) = arrived(haven, "support.requested", 1)
    assert {one.case for one in [*calls, asked]} == {case}


def subscribes(haven: Haven, laptop: Any) -> None:
    """Letters about what she pays for may be written, and no others."""
    laptop.open("/box", card=CARD)
    arrived(haven, "box.ordered", 1)
    assert haven.may_write("box", LETTER) == "yes"
    assert haven.may_write("newsletter", LETTER) == "send:marketing:not_granted:email"
    assert not haven.documents("preference")


def withdraws(haven: Haven, laptop: Any, phone: Any) -> float:
    """Seconds until the other process obeys."""
    phone.open("/login", name="nancy", password="amande")
    until(lambda: COUNTED in phone.open("/account").text, "she allowed it")
    laptop.open("/consent/withdraw", purpose="analytics")
    took_s = until(lambda: COUNTED not in phone.open("/account").text, "the other process obeys")
    for browser in (laptop, phone):
        assert COUNTED not in browser.open("/account").text
        browser.open("/sweets/ORA-100")
        browser.open("/blog")
    until(lambda: GOLD in phone.open("/").heading, "the rest holds")
    return took_s


def her_sister_signs_in(haven: Haven, laptop: Any) -> None:
    """On the laptop, where Nancy has not even signed out. They are two, and the laptop alone is neither."""
    laptop.open("/login", name="odile", password="nougat")
    hers, sisters = ["email", "phone", "user_id", "visitor", "visitor"], ["email", "phone", "user_id"]
    until(lambda: types_of(haven) == [sisters, hers], "two people")
    merges = [read(row, Ledger).merge for row in haven.documents("ledger").values()]
    named = [one for merge in merges for one in merge.absorbed if one.logged_in]
    assert not named, "nobody was merged, but for a device that had arrived before somebody signed in on it"
    assert haven.call(NANCY, "other", "case-1") == "a gold customer calls about other"
    assert haven.call(ODILE, "other", "case-2") == "a silver customer calls about other"
    laptop.open("/account/newsletter", wanted="y")
    until(lambda: haven.may_write("newsletter", "odile@example.com") == "yes", "she wants the newsletter")
    assert haven.may_write("newsletter", LETTER) == "send:marketing:not_granted:email", "her sister does not"
    laptop.restart()
    assert GOLD not in laptop.open("/").heading, "whoever uses the laptop now is nobody known"


def is_erased(haven: Haven, laptop: Any, phone: Any) -> None:
    """Nothing of her is left to find, and everything of her sister."""
    (nancy,) = [one for one in haven.documents("person").values() if keys_of(one, "visitor")]
    keys, traces = keys_of(nancy), ('"nancy"', *keys_of(nancy, "phone"))
    assert all(map(haven.traces, traces)), "there is something to find"
    haven.erase("nancy")
    kinds = ("identifier", "history", "sent", "suppression")
    left = {kind: keys & haven.documents(kind).keys() for kind in kinds}
    assert left == {kind: set() for kind in kinds}
    assert keys <= haven.documents("tombstone").keys()
    assert types_of(haven) == [["email", "phone", "user_id"]], "her sister is still somebody"
    until(lambda: not any(map(haven.traces, traces)), "no file of the three processes holds anything of her")
    arrived(haven, "privacy.erased", 1)
    assert haven.call(NANCY, "other", "case-3") == "somebody calls about other"
    assert haven.call(ODILE, "other", "case-4") == "a silver customer calls about other"
    phone.restart()
    assert GOLD not in phone.open("/").heading
    assert "ORA-100" not in str(haven.receiver.payloads), "what she did after she withdrew was never counted"


# --- looking ---


def arrived(haven: Haven, name: str, count: int) -> list[Interaction]:
    """The interactions of that name that came to the receiver; at least so many, waited for."""

    def found() -> list[Interaction]:
        by_id = {one.id: one for one in haven.receiver.interactions if one.name == name}
        return list(by_id.values())

    until(lambda: len(found()) >= count, f"{count} of {name} arrive")
    return found()


def keys_of(person: Any, type: str | None = None) -> set[str]:
    """A person's identifiers, or those of one type; none of who became part of another."""
    return {link["key"] for link in person.get("graph", {}).get("links", ()) if type in (None, link["type"])}


def types_of(haven: Haven) -> list[list[str]]:
    """The types of the identifiers of each person there is, fewest first; not of those of a device alone."""
    people: list[Any] = [one for one in haven.documents("person").values() if "graph" in one]
    found = [sorted(link["type"] for link in one["graph"]["links"]) for one in people]
    return sorted((one for one in found if one != ["visitor"]), key=len)
