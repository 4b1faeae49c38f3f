"""The pages that answer at once, whatever else the shop is doing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

from cxkit.api import Experience, Touchpoint, grant, identify, logout, withdraw
from cxkit.model import Decision, ExperienceSpec, TouchpointSpec, Variant
from cxkit.testing.web_shop.handlers import Answer, Ask, Handler

__all__ = ["FILE", "SEEN", "still"]

FILE: Final = Path(__file__)
"""What is served as a file."""
_CACHED: Final = (("Cache-Control", "public, max-age=60"),)
_PRIVATE: Final = (("Cache-Control", "private"),)
_HEADERS: Final = (("X-Z", "1"), ("X-A", "2"), ("Set-Cookie", "a=1"), ("Vary", "Accept"), ("Set-Cookie", "b=2"))
SEEN: Final[Touchpoint[...]] = Touchpoint(TouchpointSpec(name="suite.seen"))
_HERO: Final = Experience(
    ExperienceSpec(
        name="suite.hero",
        fallback=Variant(name="all", content="Welcome"),
        variants=(Variant(name="known", content="Welcome back", depth=2),),
    )
)
_DATED: Final = (("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT"), ("ETag", '"one"'))


def still() -> list[Handler]:
    """The pages."""
    return [
        Handler(path="/", answer=lambda ask: Answer(body=b"home")),
        Handler(path="/products/{sku}", answer=_product),
        Handler(path="/products/{sku}/reviews/{number}", answer=_product),
        Handler(path="/broken", answer=_broken),
        Handler(path="/closed", answer=lambda ask: Answer(status=503)),
        Handler(path="/hero", answer=_hero),
        Handler(path="/cached", answer=lambda ask: Answer(headers=_CACHED, body=_told(_HERO.decide()))),
        Handler(path="/cached-hero", answer=lambda ask: attrs.evolve(_hero(ask), headers=_CACHED)),
        Handler(path="/cached-stream", answer=lambda ask: Answer(headers=_CACHED, body=_hero_late())),
        Handler(path="/private-stream", answer=lambda ask: Answer(headers=_PRIVATE, body=_hero_late())),
        Handler(path="/headers", answer=lambda ask: Answer(headers=_HEADERS)),
        Handler(path="/torn", answer=lambda ask: Answer(body=_torn())),
        Handler(path="/static/app.js", answer=lambda ask: Answer(body=b"js")),
        Handler(method="POST", path="/allow", answer=_allow),
        Handler(method="POST", path="/refuse", answer=_refuse),
        Handler(method="POST", path="/login/{name}", answer=_login),
        Handler(method="POST", path="/digest", answer=_digest, reads=True),
        Handler(method="POST", path="/ignore", answer=lambda ask: Answer(body=b"ignored")),
        Handler(path="/numbers/{number}", ints=frozenset({"number"}), answer=_seen),
        Handler(path="/{language}/about", answer=_seen),
        Handler(path="/within/rooms/{name}", mount="/within", answer=_seen),
        Handler(path="/dated", answer=lambda ask: Answer(headers=_DATED, body=b"dated")),
        Handler(path="/file", answer=lambda ask: Answer(file=FILE, body=FILE.read_bytes())),
        Handler(path="/fails/{name}", answer=_fails),
        Handler(path="/moved/{status}", answer=_moved),
        Handler(path="/logout", method="POST", answer=_leave),
        Handler(path="/upload", method="POST", reads=True, into=hashlib.sha256, answer=_digest),
    ]


def _product(ask: Ask) -> Answer:
    SEEN.capture(**ask.params)
    return Answer(body=b"product")


def _broken(ask: Ask) -> Answer:
    return Answer(status=1 // 0)


def _torn() -> Iterator[bytes]:
    yield b"first"
    raise ZeroDivisionError


def _hero(ask: Ask) -> Answer:
    return Answer(body=_told(_HERO.show()))


def _hero_late() -> Iterator[bytes]:
    yield b"first "
    yield _told(_HERO.show())


def _told(decision: Decision) -> bytes:
    return str(decision.content).encode()


def _allow(ask: Ask) -> Answer:
    grant("analytics", "personalization", "advertising", "identity_stitching")
    return Answer()


def _refuse(ask: Ask) -> Answer:
    withdraw("analytics", "personalization", "advertising", "identity_stitching")
    return Answer()


def _login(ask: Ask) -> Answer:
    grant("analytics")
    identify(user_id=ask.params["name"])
    SEEN.capture()
    return Answer()


def _leave(ask: Ask) -> Answer:
    logout()
    SEEN.capture()
    return Answer()


def _seen(ask: Ask) -> Answer:
    SEEN.capture()
    return Answer(body=b"seen")


def _fails(ask: Ask) -> Answer:
    raise ValueError(f"{ask.params['name']} is a secret")


def _moved(ask: Ask) -> Answer:
    return Answer(status=int(ask.params["status"]), headers=(("Location", "/products/1?kept=yes#there"),), body=b"")


def _digest(ask: Ask) -> Answer:
    digest = hashlib.sha256(ask.body) if ask.into is None else ask.into
    return Answer(body=digest.hexdigest().encode())
