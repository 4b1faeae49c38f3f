"""What must hold before anybody relies on cxkit: real processes, real sockets, real files."""

from __future__ import annotations

import queue
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import pytest

import cxkit
from cxkit.codec import decode
from cxkit.codec.frame import HEADER_BYTES, Record, unpack
from cxkit.delivery import segment
from cxkit.delivery.account import Account
from cxkit.model import Interaction, purpose_bits
from cxkit.settings import load
from cxkit.testing.receiver import Answer, Receiver, Request


def configured(directory: Path, **exporters: tuple[Receiver, str]) -> Path:
    """A ``cxkit.toml`` with HTTP exporters: name to where, and for which purpose."""
    file = directory / "cxkit.toml"
    tables = [
        f'[exporters.{name}]\ntype = "http"\nurl = "{receiver.url}"\npurposes = ["{purpose}"]\n'
        for name, (receiver, purpose) in exporters.items()
    ]
    file.write_text("\n".join([f'service = "shop"\ndirectory = "{directory}/.cxkit"', *tables]))
    return file


def spooled(directory: Path) -> list[Record]:
    """What the spools hold, as it lies there."""
    found = []
    for file in sorted(directory.glob(".cxkit/spool/*/*.seg")):
        whole, offset = file.read_bytes(), segment.HEADER_BYTES
        while offset + HEADER_BYTES <= len(whole):
            record, end = unpack(whole, offset)
            if record is not None:
                found.append(record)
            offset = end if end > offset else offset + 1
    return found


def id_of(payload: bytes) -> str:
    return decode(payload).id


def lawful_for(purpose: str, records: Iterable[Record]) -> dict[str, bytes]:
    """Id to bytes, of records that may serve a purpose and their own."""
    asked = purpose_bits([purpose])
    return {id_of(one.payload): one.payload for one in records if not (asked | 1 << one.own) & ~one.purposes}


def await_until(receiver: Receiver, done: Callable[[], bool]) -> None:
    """Wait until what has arrived makes it so."""
    while True:
        so_far = len(set(receiver.ids))
        if done():
            return
        assert receiver.wait_for(so_far + 1, timeout_s=60), "nothing more arrives"


def await_ids(receiver: Receiver, ids: Iterable[str]) -> None:
    wanted = set(ids)
    await_until(receiver, lambda: wanted <= set(receiver.ids))


def await_one(receiver: Receiver, fits: Callable[[Interaction], bool]) -> None:
    """Wait for an interaction; those of one process come in the order in which they were captured."""
    await_until(receiver, lambda: any(map(fits, receiver.interactions)))


def ask(route: str) -> Callable[[Interaction], bool]:
    """Whether it is the visit that ends a form sent to this route."""
    return lambda one: (
        one.name == "page.viewed" and one.context.page is not None
        and (one.context.page.route, one.context.page.method) == (route, "POST")
    )  # fmt: skip


def settled(configuration: Path) -> Account:
    """The account, after another process has taken over what was left and delivered it."""
    kit = cxkit.Kit(load(file=configuration))
    kit.start()
    kit.close(timeout_s=60)
    return kit.account()


# --- (a) ------------------------------------------------------------------------------------------


class Moody(Receiver):
    """A receiver that can be told to refuse; what it then refuses was read from a spool."""

    def __init__(self) -> None:
        super().__init__(answer=self._moody)
        self.refusing = threading.Event()
        self.refused = queue.SimpleQueue[Request]()

    def _moody(self, request: Request) -> Answer:
        if self.refusing.is_set():
            self.refused.put(request)
            return Answer(status=503)
        return Answer()


def test_a_shop_killed_in_mid_visit_loses_nothing_it_had_spooled(
    servers: ModuleType, visitors: ModuleType, tmp_path: Path
) -> None:
    with Moody() as receiver, Receiver() as ads:
        configuration = configured(tmp_path, receiver=(receiver, "analytics"), ads=(ads, "advertising"))
        with servers.Shop(configuration) as shop:
            browser = visitors.Browser(shop.url)
            browser.open("/consent", choice="accept", advertising="yes")
            browser.open("/login", name="nancy", password="amande")
            await_one(receiver, ask("/login"))
            receiver.refusing.set()
            killed_in_mid_visit(shop, browser, receiver)
            records = spooled(tmp_path)
            owed = lawful_for("analytics", records)
            assert owed.keys() - set(receiver.ids), "nothing was left to do"
            receiver.refusing.clear()
            shop.start()
            assert "coffret or" in browser.open("/language", language="fr").text, "she was forgotten"
            await_ids(receiver, owed)
            await_ids(ads, lawful_for("advertising", records))
        account = settled(configuration)

    assert owed.items() <= {id_of(payload): payload for payload in receiver.payloads}.items()
    for name, arrived in (("receiver", receiver), ("ads", ads)):
        assert len(set(arrived.payloads)) == len(set(arrived.ids)), "an id came with two contents"
        assert account.exporters[name].delivered == len(set(arrived.ids))
        assert (account.exporters[name].pending, account.exporters[name].dead) == (0, 0)
    assert account.balanced


def killed_in_mid_visit(shop: Any, browser: Any, receiver: Moody) -> None:
    with ThreadPoolExecutor() as pool:
        visit = pool.submit(browse_for_ever, browser)
        receiver.refused.get(timeout=60)
        shop.kill()
        assert isinstance(visit.exception(timeout=60), OSError | HTTPException)


def browse_for_ever(browser: Any) -> None:
    while True:
        browser.open("/sweets/ALM-100")
        browser.open("/cart", sku="ALM-100")


def test_a_shop_that_is_asked_to_end_accounts_for_everything_it_captured(
    servers: ModuleType, visitors: ModuleType, tmp_path: Path
) -> None:
    with Receiver() as receiver:
        configuration = configured(tmp_path, receiver=(receiver, "analytics"))
        with servers.Shop(configuration) as shop:
            refuser, accepter = visitors.Browser(shop.url), visitors.Browser(shop.url)
            refuser.open("/consent", choice="refuse")  # its visit and all below are dropped, and counted
            for _ in range(5):
                refuser.open("/sweets/ALM-100")
            accepter.open("/consent", choice="accept")
            accepter.open("/sweets/ALM-100")
        account = settled(configuration)

    # Refused: the visit of the form, the hero, the shelf and the page behind it, five products, how they are delivered,
    # what else there is, and their pages.
    assert account.dropped == {"consent_refused": 24}
    # Accepted: the choice, the visit of the form, the hero, the shelf and the page behind it, a product, how it is
    # delivered, what else there is, and its page; how they came; what both pages ask, and what two experiments gave.
    assert account.exporters["receiver"].delivered == len(set(receiver.ids)) == 14


# --- (b) ------------------------------------------------------------------------------------------


def test_an_outage_of_the_receiver_changes_nothing_but_the_time_of_arrival(
    servers: ModuleType, visitors: ModuleType, tmp_path: Path
) -> None:
    with Receiver() as receiver, Receiver() as twin:
        configuration = configured(tmp_path, receiver=(receiver, "analytics"), twin=(twin, "analytics"))
        with servers.Shop(configuration) as shop:
            receiver.stop()
            for visit in (visitors.nancy(shop.url, shop.call), visitors.gita(shop.url)):
                list(visit)  # who is disappointed says so
            await_one(twin, lambda one: one.channel == "phone")
            await_one(twin, ask("/support"))
            assert receiver.ids == []
            receiver.start()
        account = settled(configuration)

    assert set(receiver.payloads) == set(twin.payloads)
    assert account.exporters["receiver"] == account.exporters["twin"]
    assert account.exporters["twin"].delivered == len(set(twin.ids))
    assert account.balanced


# --- (c) ------------------------------------------------------------------------------------------


@attrs.frozen
class Traces:
    """Where something of a visitor might be left behind."""

    directory: Path
    receivers: tuple[Receiver, ...]

    def of(self, text: str) -> list[str]:
        """The places that hold this text."""
        held = self._files()
        held |= {receiver.url: b"\n".join(receiver.payloads) for receiver in self.receivers}
        return [place for place, content in held.items() if text.encode() in content]

    def _files(self) -> dict[str, bytes]:
        files = [one for one in self.directory.rglob("*") if one.is_file() and one.name != "cxkit.toml"]
        try:
            return {str(one.relative_to(self.directory)): one.read_bytes() for one in files}
        except FileNotFoundError:  # a running kit renamed or finished a file between the two lines: look again
            return self._files()


def test_who_refuses_leaves_no_trace_and_is_served(servers: ModuleType, visitors: ModuleType, tmp_path: Path) -> None:
    with Receiver() as receiver, Receiver() as ads, Receiver() as archive:
        configuration = configured(
            tmp_path,
            receiver=(receiver, "analytics"),
            ads=(ads, "advertising"),
            archive=(archive, "necessary"),
        )
        traces = Traces(tmp_path, (receiver, ads, archive))
        with servers.Shop(configuration) as shop:
            refuser = visitors.Browser(shop.url, headers={"User-Agent": "peculiar", "Referer": "http://odd.example"})
            refuser.open("/consent", choice="refuse")
            refuser.open("/cart", sku="ALM-200")
            refuser.open("/checkout", card="4000 0000 0000 0002")
            refuser.open("/support", topic="delivery")
            assert archive.wait_for(3, timeout_s=60)

            assert receiver.payloads == ads.payloads == []
            kept = archive.interactions
            assert sorted(one.name for one in kept) == ["consent.changed", "order.placed", "support.requested"]
            assert not any(one.identity or one.context.session for one in kept)
            assert {cookie.name for cookie in refuser.cookies} == {"cxkit_consent", "cart"}
            choice = next(one.value or "" for one in refuser.cookies if one.name == "cxkit_consent")
            assert re.fullmatch(r"1(:\dd[0-9a-f]{8}){5}\.[0-9a-f]{8}\.[\w-]{22}", choice), choice
            for trace in ("visitor", "peculiar", "odd.example", "127.0.0.1", choice.rpartition(".")[2]):
                assert traces.of(trace) == [], trace

            # The same search finds who accepts: it can find somebody.
            accepter = visitors.Browser(shop.url)
            accepter.open("/consent", choice="accept")
            await_one(receiver, ask("/consent"))
            visitor = next(one.value or "" for one in accepter.cookies if one.name == "cxkit_visitor")
            places = traces.of(visitor.partition(".")[0])
            assert receiver.url in places
            assert any(place.endswith(".seg") for place in places)


# --- (d) ------------------------------------------------------------------------------------------


def choices_at(receiver: Receiver, before: int) -> dict[str, bool]:
    """What was allowed in the visit that came in as the only one since."""
    (visit,) = [one for one in receiver.interactions[before:] if one.name == "page.viewed"]
    return dict(visit.consent)


@pytest.mark.parametrize("chosen", [False, True], ids=["without a choice", "against an earlier yes"])
def test_global_privacy_control_denies_exactly_advertising_and_sale(
    chosen: bool, servers: ModuleType, visitors: ModuleType, tmp_path: Path
) -> None:
    def visited(**headers: str) -> dict[str, bool]:
        browser = visitors.Browser(shop.url, headers=headers)
        for cookie in cookies:
            browser.cookies.set_cookie(cookie)
        before = len(receiver.ids)
        browser.open("/sweets")
        assert receiver.wait_for(before + 1, timeout_s=60)
        return choices_at(receiver, before)

    with Receiver() as receiver, Receiver() as ads:
        configuration = configured(tmp_path, receiver=(receiver, "analytics"), ads=(ads, "advertising"))
        with servers.Shop(configuration) as shop:
            chooser = visitors.Browser(shop.url)
            if chosen:
                chooser.open("/consent", choice="accept", advertising="yes")
                await_one(receiver, lambda one: one.name == "page.viewed" and one.context.page.route == "/")
                await_one(receiver, lambda one: one.name == "consent.changed")
            cookies = list(chooser.cookies)
            plain, objected = visited(), visited(**{"Sec-GPC": "1"})
            others = [visited(**{"Sec-GPC": value}) for value in ("0", "true", "11")]
        settled(configuration)
        at_ads = [one for one in ads.interactions if one.context.page and one.context.page.route == "/sweets"]

    assert objected == {**plain, "advertising": False, "sale_share": False}
    assert plain.get("advertising", False) is chosen
    assert others == [plain] * 3
    assert len({one.id for one in at_ads}) == (4 if chosen else 0)
    assert all(one.consent == plain for one in at_ads)


# --- (e) ------------------------------------------------------------------------------------------


@attrs.define
class Tasted:
    sort: str
    notes: list[str]


TASTED = cxkit.touchpoint("sweet.tasted", properties=Tasted)
PACKED = cxkit.touchpoint("box.packed")


def test_what_is_changed_after_its_capture_stays_as_it_was(cx: Any) -> None:
    box, notes, traits = {"sorts": ["almond"], "size": {"pieces": 24}}, ["sweet"], {"likes": ["almond"]}

    PACKED.capture(box=box)
    TASTED.capture(sort="almond", notes=notes)
    with cxkit.scope(channel="store"):
        cxkit.grant("analytics", "personalization")
        cxkit.identify(user_id="nancy", traits=traits)
        box["sorts"].append("hazelnut")  # type: ignore[attr-defined]
        box["size"]["pieces"] = 0  # type: ignore[call-overload, index]
        notes.clear()
        traits["likes"].append("hazelnut")
        known = cxkit.current().profile.traits

    assert cx.one("box.packed").properties == {"box": {"sorts": ["almond"], "size": {"pieces": 24}}}
    assert cx.one("sweet.tasted").properties == {"sort": "almond", "notes": ["sweet"]}
    assert cx.one("identity.identified").properties == {"likes": ["almond"]}
    assert known == {"likes": ["almond"]}


# --- (f) ------------------------------------------------------------------------------------------


def test_the_guard_refuses_other_machines(guard: Any) -> None:
    code = "import socket; socket.create_connection(('192.0.2.1', 9), timeout=1)"

    ended = subprocess.run(
        [sys.executable, "-c", code], env=guard.environment, capture_output=True, text=True, check=False
    )

    assert ended.returncode == 1
    assert "PermissionError: guard: " in ended.stderr
    assert guard.refused != []


def test_all_of_it_speaks_to_this_machine_alone(demo: Any) -> None:
    assert demo.ended.returncode == 0, demo.ended.stdout + demo.ended.stderr
    assert demo.guard.processes == 8, "the demo, the receiver, the shop, the desk, two jobs of letters, and cxkit twice"
    assert demo.guard.refused == []
