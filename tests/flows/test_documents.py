"""When what a document says of somebody began: by that, whoever came back is told from what an erasure left."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from cxkit.flows import documents
from cxkit.flows.apply import Applier
from cxkit.flows.bus import Bus
from cxkit.flows.documents import Body, Ledger, Life, times_in, whole_of, written
from cxkit.flows.erase import keys_of_person, stored
from cxkit.flows.reading import Reading
from cxkit.model import Consent, GlobalStop, Identifier, Identity, Interaction, Message, Preference, Suppression
from cxkit.model.profile import Recent
from cxkit.rules.identity import Merge, Person, Tombstone
from cxkit.rules.preferences import Sent
from cxkit.rules.profile import History
from cxkit.rules.questions import Asked
from cxkit.stores.memory import MemoryStore
from tests.flows.world import KEYS, batch, chose, command, held, identified, identity, key

ERASED = datetime(2026, 11, 21, 10, 5, tzinfo=UTC)
BEFORE, AFTER = ERASED.replace(minute=0), ERASED.replace(minute=9)


def records(*values: object, name: str = "records") -> Body:
    return {name: [written(one) for one in values]}


def recent(at: datetime) -> Recent:
    return Recent(id="1", at=at, name="page.viewed")


CASES: dict[str, tuple[Body, list[datetime | None]]] = {
    "person/p1": (written(Life(graph=Person(id="p1", born_at=BEFORE))), [BEFORE]),
    "ledger/c1": (
        written(
            Ledger(
                merge=Merge(
                    command="c1", at=AFTER, survivor="p1", absorbed=(Person(id="p2", born_at=BEFORE),), rule="operator"
                )
            )
        ),
        [AFTER],
    ),
    "tombstone/k": (written(Tombstone(erased_at=BEFORE)), [BEFORE]),
    "consent/k": (
        records(
            Consent(choices={"advertising": "denied"}, decided_at=BEFORE),
            Consent(choices={"advertising": "denied", "analytics": "granted"}, decided_at=AFTER),
        ),
        [AFTER],
    ),
    "preference/k": (
        {
            **records(
                Preference(topic="news", channel="email", choice="denied", decided_at=BEFORE),
                Preference(topic="news", channel="sms", choice="granted", decided_at=AFTER),
                name="choices",
            ),
            **records(GlobalStop(decided_at=BEFORE), GlobalStop(decided_at=AFTER, lifted=True), name="stops"),
        },
        [AFTER, AFTER],
    ),
    "suppression/k": (records(Suppression(channel="email", reason="hard_bounce", at=BEFORE)), [BEFORE]),
    "sent/k": (records(Sent(topic="news", kind="marketing", channel="email", at=AFTER), name="messages"), [AFTER]),
    "message/m": (
        written(
            Message(
                id="m",
                channel="email",
                topic="news",
                at=AFTER,
                to=Identifier(type="email", value="6e" * 16, evidence="token"),
            )
        ),
        [AFTER],
    ),
    "assigned/k": ({"given": {"bolder__0": {"variation": "bold", "at": AFTER.isoformat()}}}, [AFTER]),
    "asked/k": (
        records(
            Asked(question="diet", act="asked", at=BEFORE),
            Asked(question="diet", act="skipped", at=AFTER),
            name="askings",
        ),
        [BEFORE, AFTER],
    ),
    "history/k": (written(History(recent=(recent(AFTER),))), [AFTER]),
    "history/k2": (written(History(recent=(recent(AFTER),), older_until=(BEFORE, "0"))), [AFTER, None]),
}


@pytest.mark.parametrize("name", CASES)
def test_each_kind_tells_when_all_of_it_began(name: str) -> None:
    body, times = CASES[name]
    assert whole_of(name, body) is None
    assert times_in(name, body) == times


@pytest.mark.parametrize(
    ("name", "body"),
    [("identifier/k", {"type": "email", "person": "p1", "contested": "c1"}), ("person/p2", {"part_of": "p1"})],
)
def test_what_says_only_whose_it_is_goes_by_them(name: str, body: Any) -> None:
    assert whole_of(name, body) == "person/p1"


def test_these_are_all_kinds() -> None:
    kinds = {one.removesuffix("_doc") for one in vars(documents) if one.endswith("_doc")}
    of_nobody = {"ruling", "mailing", "once"}
    assert kinds - of_nobody == {name.partition("/")[0] for name in (*CASES, "identifier/k")}


# --- who came back --------------------------------------------------------------------------------

NANCY, NAN = identity(user_id="nancy"), identity(email="6e" * 16)
BOTH = Identity(identifiers=(*NANCY.identifiers, *NAN.identifiers))
GONE = command("privacy.erased", NANCY, {"suppress": False, "until": None, "keys": []}, id="02", minute=5)


def left(*commands: Interaction) -> dict[str, int]:
    """What there is of Nancy, and what of it counts as left by her erasure."""
    store = MemoryStore()
    applier = Applier(lambda: store, KEYS, Bus())
    for one in commands:
        assert applier.export(batch(one), deadline_s=5).verdict == "delivered"
    given = [key("user_id", "nancy")]
    assert held(store, "person"), "she is back"
    return dict(stored(Reading(store), given, keys_of_person(Reading(store), given), until=ERASED).held)


def test_who_came_back_and_was_merged_since_is_not_left() -> None:
    back = [
        identified(NANCY, id="03", minute=6),
        identified(NAN, id="04", minute=7),
        identified(BOTH, id="05", minute=8),
    ]
    assert left(identified(NANCY), GONE, *back) == {}


def test_nor_who_came_back_and_wants_what_they_had_stopped() -> None:
    stop = command("preference.stopped", NANCY, {"lifted": False, "by": "user"}, id="011", minute=1)
    said = {"topic": "news", "channel": "email", "choice": "granted", "by": "user"}
    wants = command("preference.changed", NANCY, said, id="04", minute=7)
    assert left(identified(NANCY), stop, GONE, identified(NANCY, id="03", minute=6), wants) == {}


def test_what_is_of_before_is() -> None:
    """Somebody whom the erasure did not reach."""
    assert left(identified(NANCY), chose(NANCY, id="012", analytics="granted")) == {
        "consent": 1, "identifier": 1, "person": 1,
    }  # fmt: skip
