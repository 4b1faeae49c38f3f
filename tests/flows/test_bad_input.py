"""What the world gives for an identity: what is bad is refused by name and counted, merges nothing, loses nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import cxkit
from cxkit.capture.scope import current_scope
from cxkit.errors import InvalidInteractionError
from cxkit.kit import Kit, privacy
from cxkit.model import Facts, Identifier, Identity, Interaction
from cxkit.settings import IdentifierTable, Settings
from cxkit.settings import Identity as IdentityTable
from cxkit.testing import RecordingExporter
from cxkit.web import Site, Visit
from cxkit.web.cookies import choices_to_text
from tests.flows.world import Faulty, held, lives

BOUGHT = cxkit.touchpoint("bad.bought", purpose="necessary")
HUGE = "n" * 10_000_000


@pytest.fixture
def exporter() -> RecordingExporter:
    return RecordingExporter(purposes=frozenset({"necessary"}))


@pytest.fixture
def make(store: Faulty, exporter: RecordingExporter) -> Iterator[Callable[..., Kit]]:
    made: list[Kit] = []

    def make(**settings: Any) -> Kit:
        made.append(Kit(Settings(**settings), exporters={"x": exporter}, store=store, in_memory=True))
        return made[-1]

    yield make
    for kit in made:
        kit.close(timeout_s=10)


@pytest.fixture
def kit(make: Callable[..., Kit]) -> Kit:
    return make()


def settled(kit: Kit) -> None:
    for _ in range(2):  # what is refused is captured while the first is under way
        assert kit.flush(timeout_s=30).complete


def told(exporter: RecordingExporter, name: str) -> list[Interaction]:
    return [one for one in exporter.interactions if one.name == name]


def refusals(exporter: RecordingExporter) -> list[Any]:
    return [one.properties["reasons"] for one in told(exporter, "identity.merge_refused")]


def login(kit: Kit, *, visitor: str | None = None, **identifiers: Any) -> None:
    with cxkit.scope(kit=kit, evidence="cookie", **({"visitor": visitor} if visitor else {})):
        cxkit.grant("analytics", "identity_stitching")
        cxkit.identify(**identifiers)
        BOUGHT.capture()
    settled(kit)


def owner(kit: Kit, **identifiers: str) -> str | None:
    evidence: Any = "cookie" if "visitor" in identifiers else "login"
    with cxkit.scope(kit=kit, evidence=evidence, **identifiers):
        person = cxkit.current().profile.person
        return person.id if person else None


ILLEGAL = [
    None,
    "",
    "null",
    "Undefined",
    "[object Object]",
    "guest",
    1.5,
    ["n"],
    HUGE,
    "x" * 257,
    "\ud800",
    "a\0b",
    10**5000,
]
BLOCKED = ["0", "-1", "0000-0000", "----"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [(one, "illegal_id") for one in ILLEGAL] + [(one, "blocked_value") for one in BLOCKED],
    ids=map(str, range(len(ILLEGAL) + len(BLOCKED))),
)
def test_a_value_that_identifies_nobody(
    kit: Kit, store: Faulty, exporter: RecordingExporter, value: Any, reason: str
) -> None:
    login(kit, user_id=value)
    assert lives(store) == {}
    assert [one.properties for one in told(exporter, "identity.ignored")] == [{"type": "user_id", "reason": reason}]
    assert kit.intake.noted["invalid"] == 1
    assert len(told(exporter, "bad.bought")) == 1, "what happened is kept"
    assert all(len(payload) < 10_000 for batch in exporter.batches for payload in batch.payloads)


def test_beside_it_the_rest_counts(kit: Kit, exporter: RecordingExporter) -> None:
    login(kit, user_id="nancy", email="null", loyalty="L-7")
    assert owner(kit, user_id="nancy") == owner(kit, loyalty="L-7") is not None
    assert [one.properties["type"] for one in told(exporter, "identity.ignored")] == ["email"]
    with cxkit.scope(kit=kit, user_id="nancy", evidence="login"):
        cxkit.link(phone="+33 6 39 98 12 34", device_id="0")
    settled(kit)
    assert owner(kit, phone="+33639981234") == owner(kit, user_id="nancy")
    with cxkit.scope(kit=kit, user_id="nancy", phone="guest"):
        assert [one.type for one in cxkit.current().identity.identifiers] == ["user_id"]


def test_in_strict_mode_it_is_raised_and_the_rest_counts_all_the_same(make: Callable[..., Kit]) -> None:
    kit = make(strict=True)
    with cxkit.scope(kit=kit):
        with pytest.raises(InvalidInteractionError, match="CX3120"):
            cxkit.identify(user_id="nancy", email="null")
        assert [one.type for one in cxkit.current().identity.identifiers] == ["user_id"]


def test_values_that_the_shop_itself_blocks(
    make: Callable[..., Kit], store: Faulty, exporter: RecordingExporter
) -> None:
    kit = make(identity=IdentityTable(blocked=("till@shop.example",)))
    login(kit, email=" Till@Shop.example")
    assert lives(store) == {}
    assert [one.properties["reason"] for one in told(exporter, "identity.ignored")] == ["blocked_value"]


def test_nothing_of_a_value_is_told_beside_the_refusal(kit: Kit, exporter: RecordingExporter) -> None:
    login(kit, visitor="v-of-ann", user_id="ann-o", email="")
    login(kit, visitor="v-of-ann", user_id="bob-o", email="")
    for name in ("identity.ignored", "identity.merge_refused"):
        for one in told(exporter, name):
            assert not one.identity
            assert "ann" not in str(one.properties)


def test_two_logins_on_one_device(kit: Kit, exporter: RecordingExporter) -> None:
    login(kit, visitor="v1", user_id="ann")
    login(kit, visitor="v1", user_id="bob")
    assert owner(kit, user_id="ann") != owner(kit, user_id="bob")
    assert refusals(exporter) == [{"visitor": "unique_conflict"}]
    (refused,) = told(exporter, "identity.merge_refused")
    commands = [one.id for one in exporter.interactions if one.name == "identity.identified"]
    assert refused.cause == commands[-1]


def test_a_cookie_does_not_vouch_for_a_stranger(kit: Kit, exporter: RecordingExporter) -> None:
    login(kit, visitor="v1", email="ann@example.org")
    login(kit, visitor="v1", email="bob@example.org")
    assert owner(kit, email="ann@example.org") != owner(kit, email="bob@example.org")
    assert refusals(exporter) == [{"visitor": "source_already_identified"}]


def test_more_than_a_person_has(kit: Kit, exporter: RecordingExporter) -> None:
    for number in range(6):
        login(kit, visitor=f"v{number}", user_id="nancy")
    assert refusals(exporter) == [{"visitor": "limit_exceeded"}]


def test_more_than_anybody_has(make: Callable[..., Kit], exporter: RecordingExporter) -> None:
    strong = IdentifierTable(kind="strong", most=50)
    kit = make(identity=IdentityTable(types={"card": strong, "badge": strong}))
    for number in range(26):
        login(kit, user_id="one", card=f"a{number}")
        login(kit, badge="another", card=f"b{number}")
    login(kit, user_id="one", badge="another")
    assert refusals(exporter) == [{"badge": "fan_in"}]
    assert owner(kit, user_id="one") != owner(kit, badge="another")


def test_an_id_that_is_used_again_after_an_erasure_is_somebody_new(kit: Kit) -> None:
    login(kit, user_id="nancy")
    before = owner(kit, user_id="nancy")
    nancy = Identity(identifiers=(Identifier(type="user_id", value="nancy", evidence="login"),))
    assert privacy.erase(kit.premises, nancy, suppress=False, until=None, timeout_s=30).committed
    assert owner(kit, user_id="nancy") is None
    login(kit, user_id="nancy")
    assert owner(kit, user_id="nancy") not in (None, before)


def test_who_may_not_come_back_does_not(kit: Kit, store: Faulty, exporter: RecordingExporter) -> None:
    login(kit, user_id="nancy")
    nancy = Identity(identifiers=(Identifier(type="user_id", value="nancy", evidence="login"),))
    assert privacy.erase(kit.premises, nancy, suppress=True, until=None, timeout_s=30).committed
    login(kit, user_id="nancy")
    assert lives(store) == {}
    assert [one.properties["reason"] for one in told(exporter, "identity.ignored")] == ["tombstoned"]
    assert told(exporter, "bad.bought")[-1].identity == Identity()


@pytest.mark.parametrize("evidence", ["claim", "token"])
def test_what_a_client_says_of_itself_proves_nothing(kit: Kit, exporter: RecordingExporter, evidence: Any) -> None:
    """A forged identity selects nothing that is somebody's own, widens no consent and merges nobody."""
    hero = cxkit.experience(
        "bad.hero", variants=[cxkit.Variant(name="gold", audience={"traits.plan": "gold"}, depth=3)]
    )
    with cxkit.scope(kit=kit, evidence="login", user_id="nancy"):
        cxkit.withdraw("advertising")
        cxkit.grant("personalization")
        cxkit.identify(traits={"plan": "gold"})
    settled(kit)
    with cxkit.scope(kit=kit, evidence=evidence, user_id="nancy", visitor="mine"):
        cxkit.grant("advertising")
        assert hero.decide().variant != "gold"
        assert hero.decide().cap <= 2
        cxkit.link(device_id="mine-too")
        BOUGHT.capture()
    settled(kit)
    with cxkit.scope(kit=kit, evidence="login", user_id="nancy"):
        assert cxkit.current().profile.choices["advertising"] == "denied"
    assert owner(kit, visitor="mine") is None
    assert kit.intake.noted["invalid"] == 1
    (bought,) = told(exporter, "bad.bought")
    assert {one.evidence for one in bought.identity.identifiers} == {evidence}


def visited(kit: Kit, cookies: dict[str, str]) -> list[str]:
    """A visit with these cookies; what recognised it."""
    facts = Facts(method="GET", scheme="http", host="shop.example", path="/", headers={}, cookies=cookies)
    visit = Visit(Site(kit), facts, route=lambda: "/")
    try:
        here = current_scope()
        assert here is not None
        return [one.value for one in here.identity.identifiers]
    finally:
        visit.close()


def test_forged_cookies(kit: Kit) -> None:
    made = kit.desk.keyring.sign("visitor cookie", "somebody", now=kit.desk.intake.stamper.time_ns() / 1e9)
    allowed = choices_to_text({"analytics": ("granted", kit.desk.intake.stamper.now())}, despite_gpc=False)
    consent = kit.desk.keyring.sign("consent cookie", allowed, now=kit.desk.intake.stamper.time_ns() / 1e9)
    assert visited(kit, {"cxkit_visitor": made, "cxkit_consent": consent}) == ["somebody"]
    body = made.rpartition(".")[0]
    forged = [
        HUGE[:100_000],
        "",
        ".",
        "somebody",
        f"{body}.AAAA",
        f"nancy.{made.partition('.')[2]}",
        made[::-1],
        "\udcff",
        consent,
    ]
    for one in forged:
        assert "somebody" not in visited(kit, {"cxkit_visitor": one, "cxkit_consent": consent})
        assert "nancy" not in visited(kit, {"cxkit_visitor": one, "cxkit_consent": consent})
    assert kit.intake.noted["token_refused"] >= len(forged) - 2


def test_the_cookie_of_who_may_not_come_back_is_replaced(kit: Kit) -> None:
    login(kit, visitor="somebody", user_id="nancy")
    now = kit.desk.intake.stamper.now()
    made = kit.desk.keyring.sign("visitor cookie", "somebody", now=now.timestamp())
    allowed = choices_to_text({"analytics": ("granted", now)}, despite_gpc=False)
    consent = kit.desk.keyring.sign("consent cookie", allowed, now=now.timestamp())
    assert visited(kit, {"cxkit_visitor": made, "cxkit_consent": consent}) == ["somebody"]
    nancy = Identity(identifiers=(Identifier(type="user_id", value="nancy", evidence="login"),))
    assert privacy.erase(kit.premises, nancy, suppress=True, until=None, timeout_s=30).committed
    (new,) = visited(kit, {"cxkit_visitor": made, "cxkit_consent": consent})
    assert new != "somebody"


def test_a_cookie_of_a_host_with_other_keys_is_nobodys(make: Callable[..., Kit]) -> None:
    one, other = make(), make()
    made = one.desk.keyring.sign("visitor cookie", "somebody", now=one.desk.intake.stamper.time_ns() / 1e9)
    assert "somebody" not in visited(other, {"cxkit_visitor": made})
    login(one, user_id="nancy")
    login(other, user_id="nancy")
    assert owner(one, user_id="nancy") != owner(other, user_id="nancy"), "strangers, not merged and not mistaken"


class Backwards:
    """A wall clock that goes back by an hour whenever it is read."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 21, 10, tzinfo=UTC)

    def __call__(self) -> int:
        self.at -= timedelta(hours=1)
        return int(self.at.timestamp() * 1e9)


def test_a_clock_that_goes_backwards(store: Faulty, exporter: RecordingExporter) -> None:
    from cxkit.capture.stamp import Stamper

    kit = Kit(Settings(), exporters={"x": exporter}, store=store, stamper=Stamper(time_ns=Backwards()), in_memory=True)
    try:
        login(kit, visitor="v1", user_id="ann")
        login(kit, visitor="v2", user_id="ann", email="ann@example.org")
        login(kit, visitor="v1", user_id="bob")
        assert owner(kit, user_id="ann") == owner(kit, email="ann@example.org")
        assert owner(kit, user_id="bob") != owner(kit, user_id="ann")
        assert len(told(exporter, "bad.bought")) == 3
        assert {person["graph"]["id"] for person in held(store, "person").values()}
    finally:
        kit.close(timeout_s=10)


def test_a_session_is_no_identifier(kit: Kit, store: Faulty, exporter: RecordingExporter) -> None:
    login(kit, session_id="abc")
    assert lives(store) == {}
    assert [one.properties["reason"] for one in told(exporter, "identity.ignored")] == ["illegal_id"]


def test_a_refusal_that_comes_again_is_the_same_interaction(kit: Kit, exporter: RecordingExporter) -> None:
    heard: list[Any] = []
    kit.subscribe(heard.append)
    login(kit, visitor="v1", user_id="ann")
    login(kit, visitor="v1", user_id="bob")
    kit.bus.announce(next(one for one in heard if one.refused))
    settled(kit)
    once, again = told(exporter, "identity.merge_refused")
    assert once == again, "the same id and the same time: whoever has it knows that"
