"""What the middlewares add to a request, the visit captured."""

from __future__ import annotations

import gc
import time
from datetime import UTC, datetime

import attrs
import msgspec

from benchmarks.event import make_kit
from benchmarks.fronts import FRONTS, Front, Served
from benchmarks.pairs import paired, table
from cxkit.kit import Kit
from cxkit.web.cookies import choices_to_text, cookie_names

__all__ = ["run"]

NOTE = (
    "CPU time added to the framework's own, per request, on the thread that serves it. PostHog builds its event "
    "and OpenTelemetry its span, and drop them. Budget: at most half of PostHog with a capture, "
    "a quarter of OpenTelemetry; so their ratios should be 2.0 and 4.0 or more."
)


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

    rows = paired(
        subjects, base="cxkit, before a choice", less="bare", calls=100, rounds=5 if quick else 15, after=after
    )
    rows = [attrs.evolve(row, name=f"{front.name}: {row.name}") for row in rows]
    return table(f"Middleware, per request: {front.name}", NOTE, rows)


def _subjects(front: Front, kit: Kit) -> dict[str, Served]:
    consent, visitor = _cookies(kit)
    return {
        "bare": front.served(front.bare, {}),
        "cxkit, before a choice": front.served(front.cxkit, {}),
        "cxkit, with the consent cookie only": front.served(front.cxkit, {"cookie": consent}),
        "cxkit, a recognised visitor": front.served(front.cxkit, {"cookie": f"{consent}; {visitor}"}),
        "PostHog middleware and one capture()": front.served(front.posthog, {}),
        "OpenTelemetry instrumentation (a span)": front.served(front.otel, {}),
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
