"""How much of public lists of user agents cxkit-device tells right: bots, people, types of devices.

::

    python -m benchmarks.device_corpora --bots crawlers.txt --people user-agents.json --types user-agents.json

A file is a list of lines, or JSON or YAML as its project has it: strings; ``instances`` (crawler-user-agents);
``userAgent`` and ``deviceCategory`` (the npm package user-agents); ``user_agent_string`` and ``family`` (uap-core);
``user_agent``, ``bot`` and ``device.type`` (Matomo). None of them is kept here.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from cxkit.model import Context, Device
from cxkit.model.context import MACHINES
from cxkit.testing.enricher_suite import request
from cxkit.web.actor import actor_of
from cxkit_device import DeviceEnricher, Settings

TYPES = {
    "mobile": "phone", "smartphone": "phone", "feature phone": "phone", "phablet": "phone", "tablet": "tablet",
    "desktop": "desktop", "tv": "tv", "console": "console", "car browser": "car", "wearable": "watch",
    "smart speaker": "speaker", "smart display": "speaker",
}  # fmt: skip
"""What others call a type of device."""


class Line(NamedTuple):
    """A user agent, and what its list says of it."""

    agent: str
    type: str | None = None
    bot: bool | None = None
    hints: tuple[tuple[str, str], ...] = ()


def lines(path: Path) -> list[Line]:
    found = dict.fromkeys(_lines(path))
    return [one for one in found if one.agent]


def _lines(path: Path) -> Iterator[Line]:
    text = path.read_text("utf-8", "replace")
    if path.suffix in (".yml", ".yaml"):
        import yaml

        yield from _of(yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    elif path.suffix == ".json":
        yield from _of(json.loads(text))
    else:
        yield from (Line(one.strip()) for one in text.splitlines())


def _of(held: Any) -> Iterator[Line]:
    if isinstance(held, str):
        yield Line(held.strip())
    elif isinstance(held, list):
        for one in held:
            yield from _of(one)
    elif "userAgent" in held:
        yield Line(held["userAgent"], TYPES[held["deviceCategory"]])
    elif "user_agent_string" in held:
        yield Line(held["user_agent_string"], bot=held.get("family") == "Spider")
    elif "user_agent" in held:
        device = held.get("device") or {}
        hints = tuple(_hint(*one) for one in (held.get("headers") or {}).items())
        yield Line(str(held["user_agent"]), TYPES.get(device.get("type") or ""), "bot" in held, hints)
    else:
        for one in held["instances"] if "instances" in held else held.values():
            yield from _of(one)


def _hint(name: str, text: object) -> tuple[str, str]:
    """As a browser sends it: YAML has taken the quotes off."""
    said = str(text)
    bare = name.lower() in ("sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-form-factors") or said.startswith('"')
    return name.lower(), said if bare else f'"{said}"'


class Judge:
    """What a visit with a user agent comes to: the core's word first, then the plugin's."""

    def __init__(self, **settings: Any) -> None:
        self._enricher = DeviceEnricher(Settings(**settings))

    def __call__(self, one: Line) -> tuple[bool, str | None]:
        headers = {**dict(one.hints), "user-agent": one.agent}
        actor = actor_of(headers)
        found = self._enricher.enrich(request(headers=headers), Context(actor=actor))
        device = found.get("device")
        return found.get("actor", actor) in MACHINES, device.type if isinstance(device, Device) else None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.device_corpora", description=__doc__.splitlines()[0])
    for name in ("bots", "people", "types"):
        parser.add_argument(f"--{name}", nargs="*", type=Path, default=[], help="files")
    parser.add_argument("--programs", default="unknown", choices=["unknown", "bot"], help="the setting of that name")
    parser.add_argument("--engine", default="none", choices=["none", "ua-parser"], help="the setting of that name")
    parser.add_argument("--misses", type=int, default=20, help="how many of them to list")
    asked = parser.parse_args()
    judge = Judge(programs=asked.programs, engine=asked.engine)
    for path in asked.bots:
        held = [one for one in lines(path) if one.bot is not False]
        tell(f"{path.name}: bots found", held, [one.agent for one in held if not judge(one)[0]], asked.misses)
    for path in asked.people:
        held = [one for one in lines(path) if not one.bot]
        tell(f"{path.name}: people left alone", held, [one.agent for one in held if judge(one)[0]], asked.misses)
    for path in asked.types:
        types(path, judge, asked.misses)


def types(path: Path, judge: Judge, misses: int) -> None:
    held = [(one, judge(one)[1]) for one in lines(path) if one.type is not None and not one.bot]
    wrong = [f"{one.type} taken for {found}: {one.agent}" for one, found in held if found != one.type]
    tell(f"{path.name}: types told right", held, wrong, misses)
    for named in sorted({one.type for one, _ in held if one.type}):
        right = sum(one.type == named == found for one, found in held)
        said, there = sum(found == named for _, found in held), sum(one.type == named for one, _ in held)
        taken = Counter(found for one, found in held if one.type == named != found).most_common(3)
        print(f"    {named}: recall {right}/{there}, precision {right}/{said}; taken for {taken}")


def tell(what: str, held: list[Any], wrong: list[str], misses: int) -> None:
    right = len(held) - len(wrong)
    print(f"{what}: {right:,} of {len(held):,} ({right / max(1, len(held)):.2%})")
    for one in wrong[:misses]:
        print(f"    - {one[:200]}")


if __name__ == "__main__":
    main()
