"""Commands about what is wanted, and what a store makes of them."""

from __future__ import annotations

from typing import Any

from cxkit.flows.apply import Applier
from cxkit.flows.bus import Bus
from cxkit.flows.letterbox import read_letterbox
from cxkit.model import Answer, Identity, Interaction, Topic
from cxkit.roles import Outcome, Store
from cxkit.rules.preferences import matrix
from cxkit.settings import Settings, TopicTable
from cxkit.stores.memory import MemoryStore
from tests.flows.world import KEYS, batch, command, identity, key

NANCY = identity(user_id="nancy")
CHANNELS = ("email", "sms", "push")
TOPICS = {"news": "marketing", "sales": "marketing", "repairs": "service", "receipt": "transactional"}
CONFIGURED = Settings(strict=True, topics={name: TopicTable(kind=kind) for name, kind in TOPICS.items()})  # type: ignore[arg-type]


def applied(*commands: Interaction, store: Store | None = None) -> Store:
    store = store or MemoryStore()
    assert Applier(lambda: store, KEYS, Bus()).export(batch(*commands), deadline_s=5.0) == Outcome.delivered()
    return store


def preferred(who: Identity, topic: str, channel: str, choice: str, *, by: str = "user", **at: Any) -> Interaction:
    return command(
        "preference.changed", who, {"topic": topic, "channel": channel, "choice": choice, "by": by}, **at
    )  # fmt: skip


def stopped(who: Identity, *, lifted: bool = False, **at: Any) -> Interaction:
    return command("preference.stopped", who, {"lifted": lifted, "by": "user"}, **at)


def cells(store: Store, *keys: str) -> dict[tuple[str, str], Answer]:
    acts = read_letterbox(store, keys or [key("user_id", "nancy")], ()).acts
    topics = [Topic(name=name, kind=kind) for name, kind in TOPICS.items()]  # type: ignore[arg-type]
    found = matrix(acts, topics=topics, channels=CHANNELS)
    return {(topic, channel): one for topic, row in found.items() for channel, one in row.items()}
