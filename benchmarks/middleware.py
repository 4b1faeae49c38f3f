"""What the middlewares add to a request, the visit captured."""

from __future__ import annotations

import gc
import time
from datetime import UTC, datetime
from typing import Final

import attrs
import msgspec

from benchmarks.event import make_kit
from benchmarks.fronts import FRONTS, Front, Served
from benchmarks.pairs import rated, spent, table
from cxkit.kit import Kit
from cxkit.web.cookies import choices_to_text, cookie_names

__all__ = ["run"]

NOTE: Final = (
    "CPU time added to the framework's own, per request, on the thread that serves it. PostHog builds its event "
    "and OpenTelemetry its span, and drop them. Budget: at most half of PostHog with a capture, "
    "a quarter of OpenTelemetry; whether the medians of this run met it is in the last column. "
)
POSTHOG: Final = "PostHog middleware and one capture()"
OTEL: Final = "OpenTelemetry instrumentation (a span)"
TARGETS: Final = {POSTHOG: 2.0, OTEL: 4.0}
BASES: Final = {
    "before a choice": "The base is the cheapest visit: it names nobody, whereas PostHog's capture names somebody.",
    "a recognised visitor": "The base is a visit that names somebody, as PostHog's capture does. Same rounds as above.",
}


def run(*, quick: bool) -> str:
    kit = make_kit(None, queue_bytes=1 << 40)
    kit.intake._running = True  # the queue alone: what the request's own thread pays
    sections = [_section(make(kit), kit, quick=quick) for make in FRONTS.values()]
    kit.close()
    return "\n".join(sections)


def _section(front: Front, kit: Kit, *, quick: bool) -> str:
    subjects = _subjects(front, kit)
    _check(subjects, kit)
    gc.collect()
    gc.freeze()  # each turn begins with a clean slate, and pays for its own litter

    def after() -> None:
        kit.intake.release(kit.intake.take(0))
        gc.collect()

    times = spent(subjects, less="bare", calls=100, rounds=5 if quick else 15, after=after)
    return "\n".join(_against(base, front, times) for base in BASES)


def _against(base: str, front: Front, times: dict[str, list[float]]) -> str:
    rows = []
    for name, found in times.items():
        row = rated(f"{front.name}: {name}", found, times[f"cxkit, {base}"], "us")
        rows.append(attrs.evolve(row, at_least=TARGETS.get(name)))
    return table(f"Middleware, per request: {front.name}, against {base}", NOTE + BASES[base], rows)


def _subjects(front: Front, kit: Kit) -> dict[str, Served]:
    consent, visitor = _cookies(kit)
    return {
        "bare": front.served(front.bare, {}),
        "cxkit, before a choice": front.served(front.cxkit, {}),
        "cxkit, with the consent cookie only": front.served(front.cxkit, {"cookie": consent}),
        "cxkit, a recognised visitor": front.served(front.cxkit, {"cookie": f"{consent}; {visitor}"}),
        POSTHOG: front.served(front.posthog, {}),
        OTEL: front.served(front.otel, {}),
    }


def _cookies(kit: Kit) -> tuple[str, str]:
    """What a browser sends whose visitor allowed analytics: that they did, and who they are."""
    names = cookie_names(kit.settings.web.cookie_prefix, secure=True)
    choices = choices_to_text({"analytics": ("granted", datetime.now(UTC))}, despite_gpc=False)
    sign, now = kit.desk.keyring.sign, time.time()
    return (
        f"{names.consent}={sign('consent cookie', choices, now=now)}",
        f"{names.visitor}={sign('visitor cookie', 'A' * 22, now=now)}",
    )


def _check(subjects: dict[str, Served], kit: Kit) -> None:
    """That what is measured is what its name says."""
    expected = {"before a choice": None, "with the consent cookie only": "new", "a recognised visitor": "A" * 22}
    for name, visitor in expected.items():
        subjects[f"cxkit, {name}"](0)
        taken = kit.intake.take(0)
        kit.intake.release(taken)
        events = [msgspec.json.decode(kit.intake.record(one).payload)["data"] for one in taken]
        found = [one["value"] for event in events for one in event.get("identity", {}).get("identifiers", ())]
        page = [event["context"]["page"]["route"] for event in events]
        right = not found if visitor is None else len(found) == 1 and (visitor == "new" or found == [visitor])
        if not right or len(page) != 1 or not page[0].startswith("/products/"):
            raise RuntimeError(f"{name}: captured {events}")
