"""The shop's counter: what it wants to know of a request, what it gives back, and whom it serves."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import attrs

import cxkit
from examples.candy_haven import pages
from examples.candy_haven.customers import Customer, signed_in
from examples.candy_haven.experiences import QUESTIONS
from examples.candy_haven.parts import Question, View
from examples.candy_haven.stock import LANGUAGES, cart_in

_PAGE = re.compile(r"/|(/[\w-]+)+", re.ASCII)


@attrs.frozen(kw_only=True)
class Asked:
    """What the shop wants to know of a request."""

    path: Mapping[str, str] = attrs.field(factory=dict)
    """What stands in the braces of the route."""
    fields: Sequence[tuple[str, str]] = ()
    """Of the submitted form; of a GET those of the query."""
    cookies: Mapping[str, str] = attrs.field(factory=dict)

    def each(self, name: str) -> list[str]:
        """The values of all fields of that name."""
        return [value for field, value in self.fields if field == name]

    def field(self, name: str) -> str:
        """The value of that field; empty if there is none."""
        return next(iter(self.each(name)), "")


@attrs.frozen(kw_only=True)
class Answer:
    """A page; or, with a location, a redirect to it."""

    html: str = ""
    status: int = 200
    location: str | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict)
    """For what is no page: what it is instead."""
    cookies: Mapping[str, str] = attrs.field(factory=dict)
    """To be set until the browser is closed."""


class Route(NamedTuple):
    method: str
    path: str
    act: Callable[[Asked], Answer]


def refused(asked: Asked, status: int) -> Answer:
    """The page for a request that cannot be served; for those of the front, too."""
    return Answer(html=pages.wrong(view_of(asked), status), status=status)


def recognise(customer: Customer | None) -> None:
    if customer is not None:
        # (5) they proved who they are: what happened so far is theirs, if they allowed that
        contacts = {"phone": customer.phone, "email": customer.email}
        cxkit.identify(user_id=customer.user_id, **contacts, traits={"plan": customer.plan})


def customer_of(asked: Asked) -> Customer | None:
    return signed_in(asked.cookies.get("signed_in", ""))


def view_of(asked: Asked) -> View:
    wanted = asked.cookies.get("language") or cxkit.language(LANGUAGES)
    return View(
        language="fr" if wanted == "fr" else "en",
        cart=cart_of(asked),
        customer=customer_of(asked),
        undecided="analytics" not in cxkit.current().profile.choices,
    )


def shown(view: View, experience: cxkit.Experience) -> str:
    return text_of(view, experience.show())  # (1) decides what this visitor sees, and captures that they saw it


def text_of(view: View, decision: cxkit.Decision) -> str:
    """What a decision says, in the visitor's language; empty, if it says nothing."""
    text = decision.content
    return view.say(str(text["en"]), str(text["fr"])) if isinstance(text, dict) else ""


def asked_in(view: View, decision: cxkit.Decision) -> list[Question]:
    """What may be asked there, or is known already and need not be typed again."""
    known = [QUESTIONS[name] for name in decision.prefill if not QUESTIONS[name].options]
    return [
        Question(
            name=one.name,
            text=one.text[view.language],
            why=one.why.get(view.language, ""),
            options=tuple(map(str, one.options or (range(1, 6) if one.scale else ()))),
            answer=str(decision.prefill.get(one.name, "")),
        )
        for one in (*decision.questions, *known)
    ]


def take_answers(asked: Asked) -> bool:
    """Take what was answered; an empty field is a question that they skip. False: something is no answer at all."""
    for question in [QUESTIONS[name] for name in asked.each("question") if name in QUESTIONS]:
        said = asked.field(question.name).strip()
        if not said:
            cxkit.skip(question)
            continue
        try:
            question.read(said)
        except cxkit.CXError:
            return False
        cxkit.answer(question, said)  # (7) all elements know it from here on, on whatever channel
    return True


def cart_of(asked: Asked) -> dict[str, int]:
    """What is in the cart. It is all in the cookie: the shop need not tell visitors apart for it."""
    return cart_in(asked.cookies.get("cart", ""))


def see(path: str, **cookies: str) -> Answer:
    """Look there next; the answer to a form, so that a reload does not submit it again."""
    return Answer(location=path, status=303, cookies=cookies)


def back(asked: Asked) -> str:
    """The page of the shop that a form stood on: no other site's."""
    page = asked.field("back")
    return page if _PAGE.fullmatch(page) else "/"
