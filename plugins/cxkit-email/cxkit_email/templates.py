"""Letters from templates: Jinja in a sandbox, MJML, styles written into the elements, a text beside the HTML.

A directory holds, for each letter::

    birthday.html         or birthday.mjml; its <title> (<mj-title>) is the subject
    birthday.fr.html      the same in French
    birthday.txt          its text, if not the one that is made of the HTML
    birthday.fr.txt

What a variable says is text wherever it goes: in HTML it is escaped, and nothing in it is ever taken for a template,
for MJML or for a header. Templates reach what they are given and nothing else: not the app's environment, not Python,
not the network. MJML becomes HTML before anything is filled in, so its parser never meets what customers write.

Needs ``cxkit-email[templates]``.
"""

from __future__ import annotations

import os
import re
from email.headerregistry import Address
from email.message import EmailMessage
from html import unescape
from typing import TYPE_CHECKING, Final

import cxkit
from cxkit.errors import DeclarationError, InvalidInteractionError, nearest
from cxkit_email.addresses import address_of, one_line
from cxkit_email.sandbox import Sandbox

if TYPE_CHECKING:
    from jinja2 import BaseLoader

__all__ = ["Templates"]

_FILE: Final = re.compile(r"(.+?)(?:\.([A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,7}))?\.(html|mjml|txt)")
_BREAKS: Final = re.compile("[ \\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029]+")
"""What a template is laid out with, and what no header may hold. Spaces that do not break, French needs."""
_LONGEST_TAG: Final = 64
_LONGEST_SUBJECT: Final = 998
"""As a line may be (RFC 5322, section 2.1.1); nobody reads that far."""


class Templates:
    """The letters of a directory, or of a loader of Jinja's.

    Which there are, and in which languages, is looked up once; a change in one is seen at once.

    Args:
        source: Where they are.
        sender: From whom they are, unless it is said of one.
        language: Of those in whose names there is none.

    Raises:
        MissingDependencyError: ``cxkit-email[templates]`` is not installed.
        DeclarationError: There is no such directory.
        InvalidInteractionError: ``sender`` is no address.

    Example:
        >>> from jinja2 import DictLoader
        >>> html = "<title>Happy birthday, {{ name }}!</title><style>p {color: red}</style><p>{{ offer }}</p>"
        >>> letters = Templates(DictLoader({"birthday.html": html}), sender="Candy Haven <shop@candy.example>")
        >>> message = letters.message("birthday", to="nancy@example.com", name="Nancy", offer="A box is on us")
        >>> message["Subject"]
        'Happy birthday, Nancy!'
        >>> '<p style="color: red;">A box is on us</p>' in message.get_body(["html"]).get_content()
        True
    """

    def __init__(
        self, source: str | os.PathLike[str] | BaseLoader, *, sender: str | Address | None = None, language: str = "en"
    ) -> None:
        self._sandbox = Sandbox(source)
        self._sender = None if sender is None else address_of(sender, "sender")
        self._language = language
        self._letters: dict[str, dict[str, str]] = {}
        self._texts: dict[str, dict[str, str]] = {}
        """Files by names and languages."""
        for file in self._sandbox.files:
            found = _FILE.fullmatch(file)
            if found is not None:
                name, tag, kind = found.groups()
                known = self._texts if kind == "txt" else self._letters
                known.setdefault(name, {})[tag or language] = file

    def message(
        self,
        name: str,
        /,
        *,
        to: str | Address,
        sender: str | Address | None = None,
        subject: str | None = None,
        locale: str | None = None,
        **variables: object,
    ) -> EmailMessage:
        """One letter to one person, ready to be prepared and sent.

        Args:
            name: ``birthday``: no language and no ending.
            to: ``nancy@example.com`` or ``Nancy <nancy@example.com>``. For a name that somebody else chose, an
                `email.headerregistry.Address`: in that it cannot become another address.
            subject: Where it is not to be the letter's own title.
            locale: Which language they read: of the letter's the first that is found by leaving out subtags from the
                end (RFC 4647, section 3.4), else that of `Templates`. Unless given, the language to speak to the
                customer of this scope: see `cxkit.language`.
            variables: What the letter says: decisions (``{{ offer }}`` is the text of one, ``offer.variant`` and
                ``offer.content`` are its parts) and whatever else you have. ``language`` is there unless you give one.

        Raises:
            DeclarationError: There is no such letter; or it is wrong, asks for what is not given or not allowed, or
                has no subject.
            InvalidInteractionError: An address or the subject is none.
        """
        tag = self._tag(name, locale)
        filled = {"language": tag, **variables}
        html = self._sandbox.inlined(self._sandbox.fill(self._letters[name][tag], filled))
        text = self._texts.get(name, {}).get(tag)
        message = EmailMessage()
        message["To"] = address_of(to, "to")
        message["From"] = self._from(sender)
        message["Subject"] = _title(html, name) if subject is None else _subject(subject)
        message.set_content(_text_of(html) if text is None else self._sandbox.fill(text, filled))
        message.add_alternative(html, subtype="html")
        message["Content-Language"] = tag  # of all parts (RFC 3282): so it is said last, when there are some
        return message

    def _tag(self, name: str, locale: str | None) -> str:
        """Of the languages in which there is this letter, the one for them."""
        there = self._letters.get(name)
        if there is None:
            what = f'no letter is called "{name[:64]}"'
            raise DeclarationError(what, fix=nearest(name[:64], self._letters), code="CX9252")
        available = sorted(there, key=lambda tag: (tag != self._language, tag))
        if len(available) == 1:
            return available[0]
        return cxkit.language(available) if locale is None else _lookup(locale, available)

    def _from(self, sender: str | Address | None) -> Address:
        if sender is not None:
            return address_of(sender, "sender")
        if self._sender is None:
            raise InvalidInteractionError("a letter is from nobody", fix='give "sender" to Templates', code="CX9257")
        return self._sender


def _lookup(locale: str, available: list[str]) -> str:
    """Source: RFC 4647, section 3.4. An underscore, as POSIX writes, is read as a hyphen."""
    there = {one.lower(): one for one in reversed(available)}
    parts = locale[:_LONGEST_TAG].lower().replace("_", "-").split("-")
    while parts:
        found = there.get("-".join(parts))
        if found is not None:
            return found
        parts.pop()
    return available[0]


def _title(html: str, name: str) -> str:
    """What is in the first ``<title>`` before the body, on one line."""
    head = html.partition("<body")[0]
    inside = head.partition("<title>")[2].partition("</title>")[0]
    subject = _BREAKS.sub(" ", unescape(inside))[:_LONGEST_SUBJECT].strip(" ")
    if not subject:
        what = f'the letter "{name[:64]}" has no subject'
        raise DeclarationError(what, fix="give it a <title>, in MJML an <mj-title>", code="CX9256")
    return subject


def _subject(told: str) -> str:
    if not told.strip() or len(told) > _LONGEST_SUBJECT or not one_line(told):
        raise InvalidInteractionError("the subject is not one line", fix="give one without line ends", code="CX9257")
    return told


def _text_of(html: str) -> str:
    from cxkit_email.text import text_of

    return text_of(html)
