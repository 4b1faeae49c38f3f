"""What an operator declares of identifiers holds wherever somebody is recognised; a kiosk is nobody's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import cxkit
from cxkit.errors import ConfigurationError
from cxkit.exporters.local import read
from cxkit.keyring import Keyring
from cxkit.kit import Kit
from cxkit.kit.assembly import identifying_of
from cxkit.model import Facts
from cxkit.rules.identity import CONTACTS, TYPES
from cxkit.settings import ExporterTable, IdentifierTable, Settings
from cxkit.settings import Identity as IdentityTable
from cxkit.testing import RecordingExporter
from cxkit.web import Site, Visit
from tests.flows.world import Faulty, held, lives

SEEN = cxkit.touchpoint("declared.seen", purpose="necessary")


@pytest.fixture
def make(store: Faulty) -> Iterator[Callable[..., Kit]]:
    made: list[Kit] = []

    def make(*exporters: RecordingExporter, **settings: Any) -> Kit:
        given = {f"x{place}": one for place, one in enumerate(exporters)}
        made.append(Kit(Settings(strict=True, **settings), exporters=given, store=store, in_memory=True))
        return made[-1]

    yield make
    for kit in made:
        kit.close(timeout_s=10)


def types(**tables: IdentifierTable) -> IdentityTable:
    return IdentityTable(types=tables)


def login(kit: Kit, **identifiers: str) -> None:
    with cxkit.scope(kit=kit):
        cxkit.identify(**identifiers)
        SEEN.capture()
    assert kit.flush(timeout_s=30).complete


def owner(kit: Kit, **identifiers: str) -> str | None:
    with cxkit.scope(kit=kit, evidence="login", **identifiers):
        person = cxkit.current().profile.person
        return person.id if person else None


def test_what_was_known_apart_becomes_one_where_nothing_speaks_against_it(make: Callable[..., Kit]) -> None:
    heard: list[Any] = []
    kit = make()
    kit.subscribe(heard.append)
    login(kit, user_id="nancy")
    login(kit, loyalty="L-7")
    assert owner(kit, user_id="nancy") != owner(kit, loyalty="L-7")
    login(kit, user_id="nancy", loyalty="L-7")
    assert owner(kit, user_id="nancy") == owner(kit, loyalty="L-7")
    assert heard[-1].names == ("identity.merged", "profile.changed")


def test_what_was_refused_is_not_tried_in_every_request(make: Callable[..., Kit], store: Faulty) -> None:
    kit, heard = make(identity=types(badge=IdentifierTable(kind="strong", unique=True))), []
    kit.subscribe(heard.append)
    login(kit, user_id="nancy", badge="b1")
    login(kit, user_id="otto", badge="b2")
    for _ in range(3):
        login(kit, user_id="nancy", badge="b2")
    assert [one.refused for one in heard if one.refused] == [{"badge": "unique_conflict", "user_id": "unique_conflict"}]
    assert len(lives(store)) == 2, "and nobody is born by it"


def test_a_type_that_is_unique_parts_people(make: Callable[..., Kit]) -> None:
    card, badge = {"user_id": "nancy", "card": "c1"}, {"user_id": "nancy", "card": "c2"}
    plain = make(identity=types(card=IdentifierTable(kind="strong", most=2, within_s=0)))
    login(plain, **card)
    login(plain, **badge)
    assert owner(plain, card="c1") == owner(plain, card="c2")
    strict = make(identity=types(card=IdentifierTable(kind="strong", unique=True)))
    login(strict, **{**card, "user_id": "otto", "card": "d1"})
    login(strict, **{**badge, "user_id": "otto", "card": "d2"})
    assert owner(strict, card="d1") != owner(strict, card="d2")


def test_of_a_type_that_reaches_somebody_only_the_hash_is_kept(make: Callable[..., Kit], store: Faulty) -> None:
    exporter = RecordingExporter(purposes=frozenset({"necessary"}))
    kit = make(exporter, identity=types(whatsapp=IdentifierTable(kind="contact")))
    login(kit, user_id="nancy", whatsapp="+33 6 39 98 12 34")
    kept = str([*store.scan("")]) + str(exporter.batches)
    assert "39 98" not in kept
    assert owner(kit, whatsapp="+33 6 39 98 12 34") == owner(kit, user_id="nancy") is not None


def test_the_strongest_is_the_one_of_the_highest_priority(make: Callable[..., Kit]) -> None:
    exporter = RecordingExporter(purposes=frozenset({"necessary"}))
    kit = make(exporter, identity=types(member=IdentifierTable(kind="strong", priority=99)))
    login(kit, user_id="nancy", member="m1")
    (seen,) = [one for one in exporter.interactions if one.name == "declared.seen"]
    assert [one.type for one in seen.identity.identifiers] == ["member", "user_id"]


def test_the_local_file_goes_by_the_same_types(tmp_path: Path) -> None:
    table = ExporterTable(type="local", purposes=frozenset({"necessary"}))
    kit = Kit(
        Settings(
            strict=True,
            directory=tmp_path,
            exporters={"local": table},
            identity=types(card=IdentifierTable(kind="strong", unique=True)),
        )
    )
    for user, card in (("nancy", "c1"), ("nancy", "c2")):
        login(kit, user_id=user, card=card)
    kit.close(timeout_s=10)
    with read(tmp_path / "local.db") as connection:
        found = dict(connection.execute("SELECT subject, person FROM identifiers").fetchall())
    assert found["card:c1"] == found["user_id:nancy"] != found["card:c2"]


def test_defaults_are_those_of_the_type_and_of_a_device() -> None:
    found = identifying_of(Settings(identity=types(email=IdentifierTable(most=2), till=IdentifierTable()))).types
    assert (found["email"].kind, found["email"].most, found["email"].within_s) == ("contact", 2, 365 * 86_400.0)
    assert (found["till"].kind, found["till"].most, found["till"].priority) == ("device", 5, 0)
    assert {name: one for name, one in found.items() if name not in ("email", "till")} == {
        name: one for name, one in TYPES.items() if name != "email"
    }


def test_no_setting_makes_an_address_one_that_is_kept() -> None:
    with pytest.raises(ConfigurationError, match=r"identity\.types\.email\.kind"):
        identifying_of(Settings(identity=types(email=IdentifierTable(kind="strong"))))


def test_the_keyring_knows_what_reaches_somebody() -> None:
    assert Keyring(signing=[b"a secret of sixteen"], identifier=b"another of sixteen").contacts == CONTACTS


# --- a device that is everybody's -----------------------------------------------------------------


def test_in_a_kiosk_no_device_is_linked(make: Callable[..., Kit], store: Faulty) -> None:
    exporter = RecordingExporter(purposes=frozenset({"necessary"}))
    kit = make(exporter, identity=IdentityTable(kiosk=True))
    for name in ("ann", "bob"):
        with cxkit.scope(kit=kit, evidence="cookie", visitor="the-kiosk"):
            cxkit.grant("analytics", "identity_stitching")
            cxkit.identify(user_id=name, device_id="the-kiosk-too")
            cxkit.grant("personalization")
            cxkit.link(loyalty=f"of-{name}", push_token="p1")
            SEEN.capture()
            assert [one.type for one in cxkit.current().identity.identifiers] == ["user_id", "loyalty"]
        assert kit.flush(timeout_s=30).complete
    assert {body["type"] for body in held(store, "identifier").values()} == {"user_id", "loyalty"}
    assert len(lives(store)) == 2
    assert [one for one in exporter.interactions if one.name == "identity.merge_refused"] == []


def test_in_a_kiosk_whoever_comes_after_a_while_is_somebody_else(make: Callable[..., Kit]) -> None:
    site = Site(make(identity=IdentityTable(kiosk=True)))

    def visit(cookies: dict[str, str], *, agrees: bool = False) -> tuple[str | None, dict[str, str]]:
        facts = Facts(method="GET", scheme="http", host="shop.example", path="/", headers={}, cookies=cookies)
        one = Visit(site, facts, route=lambda: "/")
        try:
            if agrees:
                cxkit.grant("analytics")
            sent = [value.decode() for name, value in one.begin(200, []) if name == b"set-cookie"]
            known = one.scope.identity.get("visitor")
            assert all("Max-Age=120;" in text for text in sent)
            return known and known.value, {text.split("=")[0]: text.split("=", 1)[1].split(";")[0] for text in sent}
        finally:
            one.close()

    first, cookies = visit({}, agrees=True)
    again, renewed = visit(cookies)
    assert first == again is not None
    assert renewed.keys() == cookies.keys(), "each request begins the time anew"
