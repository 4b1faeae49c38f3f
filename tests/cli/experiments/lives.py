"""What a readout is made from: people who are shown a variation each, and what they did then; and the command."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from click.testing import CliRunner, Result

from cxkit.cli import cli
from cxkit.model import Assignment, Context, Decision, Device, Identifier, Identity, Interaction, Money

BEGAN = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)
TOML = """
[exporters.here]
type = "local"
path = "here.db"
purposes = ["analytics"]

[experiences."home.hero"]
fallback = { name = "all" }
variants = [{ name = "bold", depth = 2 }]

[[experiences."home.hero".experiments]]
name = "bolder"
variations = ["all", "bold"]
goals = ["order.paid"]
"""


def happened(number: int, unit: int, name: str, kind: Any, **more: Any) -> Interaction:
    who = Identifier(type="visitor", value=f"v{unit}", evidence="cookie")
    context = Context(
        session=f"s{unit}",
        actor="human",
        locale="fr-FR" if unit % 2 else "de",
        device=Device(type="phone" if unit % 3 else "desktop"),
    )
    return Interaction(
        id=f"{number:06}",
        occurred_at=BEGAN + timedelta(seconds=number),
        name=name,
        source="/shop",
        kind=kind,
        consent={"analytics": True},
        identity=Identity(identifiers=(who,)),
        context=context,
        **more,
    )


def lives(sizes: Mapping[str, tuple[int, int]], *, minor: str = "20.00", **assignment: Any) -> Iterator[Interaction]:
    """Visitors who are shown a variation each, so many of whom pay afterwards: units and buyers by variation."""
    unit = 0
    for variation, (units, buyers) in sizes.items():
        for place in range(units):
            unit += 1
            given = Assignment(**{"experiment": "bolder", "variation": variation, **assignment})
            decision = Decision(
                experience="home.hero", variant=variation, depth=2 * (variation == "bold"), assignment=given
            )
            yield happened(2 * unit, unit, "experience.shown", "exposure", decision=decision)
            if place % (units // buyers) == 0 and place // (units // buyers) < buyers:
                yield happened(2 * unit + 1, unit, "order.paid", "transaction", value=Money(minor, "EUR"))


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(cli, ["experiments", *map(str, arguments)], env={"COLUMNS": "200"})
    if isinstance(result.exception, Exception):
        raise result.exception
    return result


def told(*arguments: object) -> Any:
    return json.loads(run("readout", "bolder", *arguments, "--json").stdout)


CLEAR = {"all": (300, 30), "bold": (300, 100)}
