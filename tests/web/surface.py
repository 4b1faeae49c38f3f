"""A browser's requests to cxkit's own pages, and a reader of their HTML."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import attrs

HTML = (b"accept", b"text/html,application/xhtml+xml,*/*;q=0.8")
SAME = (b"sec-fetch-site", b"same-origin")
FORM = (b"content-type", b"application/x-www-form-urlencoded")
JSON = (b"content-type", b"application/json; charset=utf-8")
FRENCH = (b"accept-language", b"fr-CA,fr;q=0.9,en;q=0.5")
GPC = (b"sec-gpc", b"1")
ASKED = ("analytics", "personalization", "profiling", "advertising")
VOID = {"input", "meta", "link"}

Pair = tuple[bytes, bytes]


@attrs.define
class Element:
    """One element of a page."""

    name: str
    attributes: dict[str, str]
    above: Element | None = None
    text: str = ""

    def within(self, name: str) -> bool:
        """Whether it stands in an element of that name."""
        one = self.above
        while one is not None and one.name != name:
            one = one.above
        return one is not None


class Read(HTMLParser):
    """The elements of a page, which must be well nested."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        assert len(dict(attributes)) == len(attributes)
        one = Element(tag, {key: value or "" for key, value in attributes}, self._open[-1] if self._open else None)
        self.elements.append(one)
        if tag not in VOID:
            self._open.append(one)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().name == tag

    def handle_data(self, text: str) -> None:
        for one in self._open:
            one.text += text

    def all(self, name: str, /, **attributes: str) -> list[Element]:
        """Elements with that name, or any for "", and these attributes."""
        wanted = {key.rstrip("_"): value for key, value in attributes.items()}
        return [one for one in self.elements if name in ("", one.name) and wanted.items() <= one.attributes.items()]

    def one(self, name: str, /, **attributes: str) -> Element:
        """The only such element."""
        (found,) = self.all(name, **attributes)
        return found

    def fields(self, *, choice: str, ticked: tuple[str, ...] | None = None) -> list[tuple[str, str]]:
        """What a browser posts when that button of the only form is pressed.

        Args:
            ticked: The values of the boxes that are; None: those that were.
        """
        sent = []
        for one in self.all("input"):
            assert one.within("form")
            name, value = one.attributes["name"], one.attributes["value"]
            on = "checked" in one.attributes if ticked is None else value in ticked
            if one.attributes["type"] == "hidden" or on:
                sent.append((name, value))
        assert any(one.attributes["value"] == choice for one in self.all("button", name="choice"))
        return [*sent, ("choice", choice)]


def ask(client: Any, path: str, *headers: Pair, query: str = "", body: bytes = b"", **fields: Any) -> Any:
    """One request, and what came back."""
    received = [{"type": "http.request", "body": body}]
    return client.ask(path, headers=list(headers), query_string=query.encode(), received=received, **fields)


def get(client: Any, path: str = "/cx/consent", *headers: Pair, query: str = "") -> Any:
    """A reader's request."""
    return ask(client, path, *headers, query=query)


def post(client: Any, body: object, *headers: Pair, path: str = "/cx/consent") -> Any:
    """A form (a list of pairs), or JSON (a mapping), or bytes as they are."""
    if isinstance(body, list):
        body, headers = urlencode(body).encode(), (FORM, *headers)
    elif isinstance(body, dict):
        body, headers = json.dumps(body).encode(), (JSON, *headers)
    assert isinstance(body, bytes)
    length = (b"content-length", str(len(body)).encode())
    return ask(client, path, *headers, length, body=body, method="POST")


def text_of(sent: Any) -> str:
    """The body."""
    return b"".join(one.get("body", b"") for one in sent.messages[1:]).decode()


def page_of(sent: Any) -> Read:
    """The body, read as a page."""
    (kind,) = sent.all("content-type")
    assert kind == "text/html; charset=utf-8"
    return Read(text_of(sent).removeprefix("<!doctype html>"))


def json_of(sent: Any) -> Any:
    """The body, read as JSON."""
    assert sent.all("content-type") == ["application/json"]
    return json.loads(text_of(sent))


def status_of(sent: Any) -> int:
    """The status."""
    return int(sent.messages[0]["status"])


def error_of(sent: Any) -> tuple[int, str]:
    """The status and the code of an answer to a script."""
    return status_of(sent), json_of(sent)["error"]["code"]
