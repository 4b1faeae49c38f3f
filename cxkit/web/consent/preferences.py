"""``/preferences``: what a customer receives, topic by channel, for them and for scripts; and where they change it.

Only what is sent is changed, cell by cell: leaving one topic leaves every other one as it is, and what is
transactional is nobody's to refuse, so it is not offered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import attrs
import msgspec

from cxkit.capture.scope import Scope
from cxkit.errors import CXError, InvalidInteractionError
from cxkit.flows import preferences as preferring
from cxkit.model import Choice, Facts, Topic
from cxkit.roles import Endpoint, Reply
from cxkit.rules.preferences import Act, answer, wanted
from cxkit.web.consent.page import page
from cxkit.web.consent.posted import fields_of, is_form, language_for, query_of, wants_html
from cxkit.web.consent.texts import TEXTS
from cxkit.web.limits import Rate
from cxkit.web.markup import element, hidden
from cxkit.web.paths import mounted, safe_back
from cxkit.web.posted import PRIVATE, as_json, check_sender, json_of, scope_here, status_of, too_many

if TYPE_CHECKING:
    from cxkit.kit import Kit
    from cxkit.web.site import Site

__all__ = ["preference_endpoint"]

Cell = tuple[str, str]

_ANY: Final = Topic(name="any")


class _Chosen(msgspec.Struct, forbid_unknown_fields=True):
    """What a script posts: topic to channel to choice; and whether all marketing is to stop."""

    preferences: dict[str, dict[str, Choice]] = {}
    stop_marketing: bool | None = None


_CHOSEN: Final = msgspec.json.Decoder(_Chosen)


@attrs.frozen(kw_only=True)
class _Offer:
    """What one customer may choose, and what they receive now."""

    cells: Mapping[Cell, bool]
    kinds: Mapping[str, str]
    stopped: bool


def preference_endpoint(site: Site, grants: Rate) -> Endpoint:
    """Where preferences are read and made.

    Args:
        grants: How often something may be allowed from one address.
    """
    return Endpoint(path="/preferences", methods=frozenset({"GET", "POST"}), handle=_Preferences(site, grants).handle)


class _Preferences:
    def __init__(self, site: Site, grants: Rate) -> None:
        self._kit: Kit = site.kit
        self._grants = grants

    def handle(self, facts: Facts, body: bytes) -> Reply:
        scope = scope_here()
        html = wants_html(facts)
        try:
            if facts.method == "POST":
                check_sender(facts, scope)
                return self._form(facts, scope, body) if is_form(facts) else self._script(facts, scope, body)
            offer = self._offer(scope)
            return self._page(facts, scope, offer) if html else as_json(_state(offer))
        except InvalidInteractionError as error:
            if html:
                return self._page(facts, scope, None, wrong=error)
            return as_json(_state(None)) if facts.method != "POST" and error.code == "CX3175" else as_json(error)

    def _offer(self, scope: Scope) -> _Offer:
        """What this customer may choose.

        Raises:
            InvalidInteractionError: Nobody is known, or it cannot be known now.
        """
        desk = self._kit.desk
        _check_known(scope)
        patience_s = self._kit.patience_s()
        known = desk.known(scope, patience_s=patience_s)
        held = None if known is None else preferring.opened(desk, known, known.keys, patience_s=patience_s)
        if held is None:
            fix = "try again later"
            raise InvalidInteractionError("what they chose cannot be known now", fix=fix, code="CX3177")
        acts = held.acts
        topics = [one for one in desk.sending.topics.values() if one.kind != "transactional"]
        declared = dict.fromkeys(channel for one in desk.sending.topics.values() for channel in one.defaults)
        channels = tuple(declared) or ("email",)
        return _Offer(
            cells={(one.name, channel): _receives(acts, one, channel) for one in topics for channel in channels},
            kinds={one.name: one.kind for one in topics},
            stopped=answer(acts, topic=_ANY, channel="any") == "denied",
        )

    # --- choosing ---

    def _form(self, facts: Facts, scope: Scope, body: bytes) -> Reply:
        fields = fields_of(body)
        act, language = fields.one("choice"), language_for(self._kit, scope, fields.one("lang"))
        ticked = fields.all("cell")
        if act not in ("save", "stop", "lift"):
            raise InvalidInteractionError("a form chooses nothing", fix="press one of its buttons", code="CX3171")
        if act == "save":
            cells = {_cell(one): _cell(one) in map(_cell, ticked) for one in fields.all("offered")}
            self._take(facts, scope, cells)
        else:
            self._take(facts, scope, {}, stop=act == "stop")
        here = f"{mounted(self._kit, facts, '/preferences')}?lang={language}&saved=1"
        location = safe_back(fields.one("back")) or here
        return Reply(status=303, headers=(*PRIVATE, ("Location", location)))

    def _script(self, facts: Facts, scope: Scope, body: bytes) -> Reply:
        chosen = json_of(facts, body, _CHOSEN)
        if not chosen.preferences and chosen.stop_marketing is None:
            raise InvalidInteractionError("no choice is named", fix="name a topic and a channel", code="CX3171")
        cells = {
            (topic, channel): choice == "granted"
            for topic, channels in chosen.preferences.items()
            for channel, choice in channels.items()
        }
        self._take(facts, scope, cells, stop=chosen.stop_marketing)
        try:
            return as_json(_state(self._offer(scope)))
        except InvalidInteractionError:
            if not chosen.stop_marketing:
                raise
            return as_json({"known": True, "stopped": True})

    def _take(self, facts: Facts, scope: Scope, cells: Mapping[Cell, bool], *, stop: bool | None = None) -> None:
        """Do what was chosen. There is a limit to what is allowed from one address, and none to what is refused.

        To stop everything, nobody asks what there is: it works while the store does not.
        """
        _check_known(scope)
        over = (stop is False or any(cells.values())) and not self._grants.allows(facts.client_ip)
        if over:
            cells, stop = {cell: False for cell, receives in cells.items() if not receives}, stop or None
        if cells:
            _check_offered(cells, self._offer(scope))
        if stop is not None:
            self._stop(scope, lifted=not stop)
        if cells:
            self._prefer(scope, self._offer(scope), cells)
        if over:
            raise too_many(self._kit, "choices", counted="consent_limited", code="CX3179")

    def _prefer(self, scope: Scope, offer: _Offer, cells: Mapping[Cell, bool]) -> None:
        """What differs from what they receive; refusals first, for they need no proof."""
        changed = [(cell, receives) for cell, receives in cells.items() if offer.cells[cell] is not receives]
        for (topic, channel), receives in sorted(changed, key=lambda one: one[1]):
            choice: Choice = "granted" if receives else "denied"
            with _unproven_said():
                preferring.prefer(
                    self._kit.desk, scope, topic, channel, choice, by="user", patience_s=self._kit.patience_s()
                )

    def _stop(self, scope: Scope, *, lifted: bool) -> None:
        with _unproven_said():
            preferring.stop_marketing(
                self._kit.desk, scope, lifted=lifted, by="user", patience_s=self._kit.patience_s()
            )

    # --- the page ---

    def _page(self, facts: Facts, scope: Scope, offer: _Offer | None, *, wrong: CXError | None = None) -> Reply:
        query = query_of(facts) if facts.method != "POST" else {}
        language, back = language_for(self._kit, scope, query.get("lang")), safe_back(query.get("back"))
        text, status = TEXTS[language], 200
        said = element("p", text["saved"], class_="cx-said", role="status") if "saved" in query else ""
        if wrong is not None and facts.method != "POST":
            said = element("p", text["preferences.nobody" if wrong.code == "CX3175" else "preferences.later"])
            said += element("p", element("a", text["title"], href=mounted(self._kit, facts, "/consent")))
            status = 200 if wrong.code == "CX3175" else status_of(wrong)
            said += self._asked(facts, "", ["stop"], language=language, back=back) if wrong.code == "CX3177" else ""
        elif wrong is not None:
            why = f"{element('strong', text['wrong'])} {text[wrong.code]} ({wrong.code})"
            said, status = element("p", why, class_="cx-said", role="alert"), status_of(wrong)
            said += element("p", element("a", text["preferences"], href=mounted(self._kit, facts, "/preferences")))
        return page(
            self._kit,
            facts,
            at="/preferences",
            title=TEXTS[language]["preferences"],
            language=language,
            body=said + ("" if offer is None else self._offered(facts, offer, language=language, back=back)),
            status=status,
            back=back,
        )

    def _offered(self, facts: Facts, offer: _Offer, *, language: str, back: str | None) -> str:
        text = TEXTS[language]
        rows = "".join(_topic(topic, offer, text) for topic in offer.kinds)
        acts = ["save"] if rows else []
        acts += ["lift" if offer.stopped else "stop"]
        said = element("p", text["preferences.stopped"]) if offer.stopped else ""
        said += element("p", text["preferences.lead" if rows else "preferences.none"])
        return self._asked(facts, said + rows, acts, language=language, back=back)

    def _asked(self, facts: Facts, body: str, acts: list[str], *, language: str, back: str | None) -> str:
        text = TEXTS[language]
        actions = "".join(element("button", text[act], class_="cx-button", name="choice", value=act) for act in acts)
        sent = hidden("lang", language) + hidden("back", back)
        return element(
            "form",
            body + sent + element("div", actions, class_="cx-actions"),
            method="post",
            action=mounted(self._kit, facts, "/preferences"),
        )


def _receives(acts: tuple[Act, ...], topic: Topic, channel: str) -> bool:
    return wanted(answer(acts, topic=topic, channel=channel), topic=topic, channel=channel)


def _state(offer: _Offer | None) -> dict[str, object]:
    """For scripts."""
    if offer is None:
        return {"known": False}
    topics: dict[str, dict[str, str]] = {topic: {} for topic in offer.kinds}
    for (topic, channel), receives in offer.cells.items():
        topics[topic][channel] = "granted" if receives else "denied"
    return {"known": True, "preferences": topics, "kinds": offer.kinds, "stopped": offer.stopped}


def _cell(text: str) -> Cell:
    topic, _, channel = text.partition(":")
    return topic, channel


def _check_known(scope: Scope) -> None:
    if not scope.identity:
        raise InvalidInteractionError("nobody is known here", fix="let them sign in first", code="CX3175")


def _check_offered(cells: Mapping[Cell, bool], offer: _Offer) -> None:
    for cell in cells:
        if cell not in offer.cells:
            what = f'"{":".join(cell)[:64]}" is not offered'
            fix = "name a topic of the configuration and one of its channels"
            raise InvalidInteractionError(what, fix=fix, code="CX3176")


@contextmanager
def _unproven_said() -> Iterator[None]:
    try:
        yield
    except InvalidInteractionError as error:  # the words are checked, and somebody is known: this is what is left
        what, fix = "nobody has proven that this address is theirs", "let them sign in first"
        raise InvalidInteractionError(what, fix=fix, code="CX3178") from error


def _topic(topic: str, offer: _Offer, text: Mapping[str, str]) -> str:
    rows = ""
    for (name, channel), receives in offer.cells.items():
        if name == topic:
            id, value = f"cx-{topic}-{channel}", f"{topic}:{channel}"
            box = element("input", type="checkbox", id=id, name="cell", value=value, checked=receives)
            label = element("label", box + text.get(f"channel.{channel}", channel), for_=id)
            rows += element("div", label + hidden("offered", value), class_="cx-choice")
    return element("fieldset", element("legend", topic) + rows)
