"""``/consent``: what a visitor is asked and chose, for them and for scripts; and where their choice is taken.

Reading never changes anything. A choice is taken from a POST by a page of this very site alone, and from nobody else:
neither a link nor a picture nor another site's form makes one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from cxkit.capture.scope import Scope
from cxkit.errors import CXError, InvalidInteractionError
from cxkit.flows import consent as consenting
from cxkit.model import PURPOSES, Choice, Facts, Notice
from cxkit.roles import Endpoint, Reply
from cxkit.rules.consent import denials
from cxkit.web.consent.asking import SELLING, Asking, asking, notices, shown_on_page
from cxkit.web.consent.page import STYLESHEET, page
from cxkit.web.consent.posted import fields_of, is_form, language_for, query_of, wants_html
from cxkit.web.consent.preferences import preference_endpoint
from cxkit.web.consent.texts import LANGUAGES, TEXTS
from cxkit.web.limits import Rate
from cxkit.web.markup import element, hidden
from cxkit.web.paths import mounted, safe_back
from cxkit.web.posted import PRIVATE, as_json, check_sender, json_of, scope_here, status_of, too_many

if TYPE_CHECKING:
    from cxkit.web.site import Site

__all__ = ["consent_endpoints"]

_GRANTS_PER_MINUTE: Final = 600
"""From one address."""
_METHODS: Final = {"accept": "accept", "refuse": "reject", "save": "save"}
_Short = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"\A[^\x00]*\Z")]


class _Shown(msgspec.Struct, forbid_unknown_fields=True):
    """The text that a script has shown."""

    id: _Short
    version: _Short | None = None
    language: _Short | None = None


class _Chosen(msgspec.Struct, forbid_unknown_fields=True):
    """What a script posts."""

    choices: dict[str, Choice]
    notice: _Shown | None = None


_CHOSEN: Final = msgspec.json.Decoder(_Chosen)


def consent_endpoints(site: Site) -> Sequence[Endpoint]:
    """Where choices and preferences are read and made, and the stylesheet of what shows them."""
    grants = Rate(_GRANTS_PER_MINUTE)
    consent = _Consent(site, grants)
    return (
        Endpoint(path="/consent", methods=frozenset({"GET", "POST"}), handle=consent.handle),
        preference_endpoint(site, grants),
        Endpoint(path="/cx.css", methods=frozenset({"GET"}), handle=STYLESHEET.serve),
    )


class _Consent:
    def __init__(self, site: Site, grants: Rate) -> None:
        self._kit = site.kit
        self._grants = grants

    def handle(self, facts: Facts, body: bytes) -> Reply:
        scope = scope_here()
        if facts.method != "POST":
            return self._shown(facts, scope)
        answer: Callable[[Facts, Scope, bytes], Reply] = self._form if is_form(facts) else self._script
        try:
            check_sender(facts, scope)
            return answer(facts, scope, body)
        except InvalidInteractionError as error:
            return self._page(facts, scope, wrong=error) if wants_html(facts) else as_json(error)

    # --- reading ---

    def _shown(self, facts: Facts, scope: Scope) -> Reply:
        if wants_html(facts):
            query = query_of(facts)
            return self._page(facts, scope, saved="saved" in query, back=query.get("back"), language=query.get("lang"))
        return as_json(self._state(facts, scope))

    def _state(self, facts: Facts, scope: Scope) -> dict[str, object]:
        asked = asking(self._kit, scope)
        return {
            "ask": bool(asked.due),
            "asked": asked.purposes,
            "due": asked.due,
            "choices": asked.choices,
            "allowed": [purpose for purpose in PURPOSES if purpose in asked.allowed],
            "policy": asked.policy.name,
            "mechanism": asked.policy.mechanism,
            "gpc": asked.gpc,
        }

    # --- choosing ---

    def _form(self, facts: Facts, scope: Scope, body: bytes) -> Reply:
        fields = fields_of(body)
        act, language = fields.one("choice"), language_for(self._kit, scope, fields.one("lang"))
        asked, ticked = fields.all("asked"), fields.all("purpose")
        if act not in _METHODS or not asked:
            raise InvalidInteractionError("a form chooses nothing", fix="press one of its buttons", code="CX3171")
        _check_known((*asked, *ticked))
        now = asking(self._kit, scope)
        granted = frozenset(ticked if act == "save" else asked if act == "accept" else ())
        if act == "accept":
            granted -= now.objected  # whoever accepts all has not said that their browser is wrong
        _check_asked(granted, now.purposes)
        shown = fields.one("notice")
        if granted and shown is None:
            fix = "send the hidden fields of the form, too: notice says which text was shown"
            raise InvalidInteractionError("nobody can allow what they were not shown", fix=fix, code="CX3171")
        notice = _notice(asked, shown)
        if granted and (notice is None or not granted <= frozenset(asked)):
            fix = "show it once more"
            raise InvalidInteractionError("what was shown is no longer what is asked", fix=fix, code="CX3174")
        choices: dict[str, Choice] = {
            purpose: "granted" if purpose in granted else "denied"
            for purpose in dict.fromkeys(asked)
            if purpose in granted or act != "accept"
        }
        self._choose(facts, scope, choices, method=_METHODS[act], notice=notice)
        back = safe_back(fields.one("back")) or f"{mounted(self._kit, facts, '/consent')}?lang={language}&saved=1"
        return Reply(status=303, headers=(*PRIVATE, ("Location", back)))

    def _script(self, facts: Facts, scope: Scope, body: bytes) -> Reply:
        chosen = json_of(facts, body, _CHOSEN)
        if not chosen.choices:
            raise InvalidInteractionError("no choice is named", fix="name each purpose", code="CX3171")
        _check_known(chosen.choices)
        granted = frozenset(purpose for purpose, choice in chosen.choices.items() if choice == "granted")
        _check_asked(granted, asking(self._kit, scope).purposes)
        shown = chosen.notice
        notice = Notice(id=shown.id, version=shown.version, language=shown.language) if shown else None
        self._choose(facts, scope, chosen.choices, method="save", notice=notice)
        return as_json(self._state(facts, scope))

    def _choose(
        self, facts: Facts, scope: Scope, choices: dict[str, Choice], *, method: str, notice: Notice | None
    ) -> None:
        """One act is one record: between two, a visitor could be nobody for a moment, and come out as another.

        There is a limit to what is allowed from one address, and none to what is refused.
        """
        denied = denials(choices)
        taken = choices if len(denied) == len(choices) or self._grants.allows(facts.client_ip) else denied
        if taken:
            consenting.choose(self._kit.desk, scope, taken, method=method, notice=notice)
        if len(taken) < len(choices):
            raise too_many(self._kit, "choices", counted="consent_limited", code="CX3179")

    # --- the page ---

    def _page(
        self,
        facts: Facts,
        scope: Scope,
        *,
        wrong: CXError | None = None,
        saved: bool = False,
        back: str | None = None,
        language: str | None = None,
    ) -> Reply:
        language, back = language_for(self._kit, scope, language), safe_back(back)
        text, asked = TEXTS[language], asking(self._kit, scope)
        said = element("p", text["saved"], class_="cx-said", role="status") if saved else ""
        if wrong is not None:
            why = f"{element('strong', text['wrong'])} {text[wrong.code]} ({wrong.code})"
            said = element("p", why, class_="cx-said", role="alert")
        if asked.obeyed:
            said += element("p", text["gpc"])
        if asked.sells:
            said += element("p", text["sell.not" if asked.allowed.isdisjoint(SELLING) else "sell"])
        return page(
            self._kit,
            facts,
            at="/consent",
            title=TEXTS[language]["title"],
            language=language,
            body=said + self._asked(facts, asked, language=language, back=back),
            status=200 if wrong is None else status_of(wrong),
            back=back,
        )

    def _asked(self, facts: Facts, asked: Asking, *, language: str, back: str | None) -> str:
        text = TEXTS[language]
        rows = _row("necessary", text, checked=None, state=text["always"]) + "".join(
            _row(purpose, text, checked=purpose in asked.allowed, state=text[f"state.{_state(asked, purpose)}"])
            for purpose in asked.purposes
        )
        if not asked.purposes:
            return element("fieldset", rows)
        notice = shown_on_page(asked.purposes, language, gpc=asked.obeyed)
        sent = hidden("notice", notice.version) + hidden("lang", language) + hidden("back", back)
        sent += "".join(hidden("asked", purpose) for purpose in asked.purposes)
        actions = "".join(  # the first is what Enter presses
            element("button", text[act], class_="cx-button", name="choice", value=act)
            for act in ("save", "refuse", "accept")
        )
        return element(
            "form",
            sent
            + element("fieldset", element("legend", text["lead"]) + rows)
            + element("div", actions, class_="cx-actions"),
            method="post",
            action=mounted(self._kit, facts, "/consent"),
        )


# --- what is asked for, checked --------------------------------------------------------------------


def _check_known(purposes: Iterable[str]) -> None:
    for purpose in purposes:
        if purpose == "necessary":
            raise InvalidInteractionError("what is necessary is nobody's choice", fix="leave it out", code="CX3173")
        if purpose not in PURPOSES:
            raise _unasked(purpose)


def _check_asked(granted: Iterable[str], asked: Collection[str]) -> None:
    """To refuse, anything that is known will do; but nobody allows what this site has not asked for."""
    for purpose in sorted(granted):
        if purpose not in asked:
            raise _unasked(purpose)


def _unasked(purpose: str) -> InvalidInteractionError:
    fix = "name purposes of the setting web.asked"
    return InvalidInteractionError(f'nobody asks about "{purpose[:64]}" here', fix=fix, code="CX3172")


def _notice(asked: tuple[str, ...], version: str | None) -> Notice | None:
    """The text with that version, if it is still what we show."""
    found = (notices(asked, language).get(version or "") for language in LANGUAGES)
    return next(filter(None, found), None)


# --- rows --------------------------------------------------------------------------------------------


def _state(asked: Asking, purpose: str) -> str:
    """In one word: a key of the texts."""
    if purpose in asked.objected:
        return "gpc"
    if purpose in asked.allowed:
        return "granted" if purpose in asked.choices else "default"
    return "denied" if purpose in asked.choices else "unchosen"


def _row(purpose: str, text: Mapping[str, str], *, checked: bool | None, state: str) -> str:
    id = f"cx-{purpose}"
    name = element("strong", text[purpose])
    if checked is not None:
        box = {"type": "checkbox", "name": "purpose", "value": purpose, "id": id, "aria_describedby": f"{id}-means"}
        name = element("label", element("input", checked=checked, **box) + text[purpose], for_=id)
    means = element("p", text[f"{purpose}.means"], id=f"{id}-means")
    return element("div", f"{name} {element('span', f'({state})', class_='cx-state')}{means}", class_="cx-choice")
