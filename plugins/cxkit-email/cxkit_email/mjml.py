"""MJML made HTML, by mrml. Jinja's braces pass through it; nothing is fetched, by it or by who reads the letter."""

from __future__ import annotations

import re
from typing import Final
from xml.parsers.expat import ExpatError, ParserCreate

from cxkit.errors import DeclarationError

__all__ = ["html_of"]

_UNKNOWN: Final = re.compile(r"<(mj-[a-z-]{1,40})")
_AT: Final = re.compile(r"(.*?)(?: in [a-z ]*template)?(?: at position ([0-9]{1,9}):[0-9]{1,9})?")


def html_of(source: str, file: str) -> str:
    """What mail programs can show.

    ``<mj-include>`` is refused: Jinja's own includes, within ``<mj-raw>``, stay in the directory of the letters.

    Raises:
        DeclarationError: It is no MJML; says of which file and, where that is known, in which line.

    Example:
        >>> text = "<mj-text>Hello {{ name }}</mj-text>"
        >>> mjml = f"<mjml><mj-body><mj-section><mj-column>{text}</mj-column></mj-section></mj-body></mjml>"
        >>> "Hello {{ name }}" in html_of(mjml, "birthday.mjml")
        True
    """
    import mrml  # of an extra

    try:
        html: str = mrml.to_html(source, None, mrml.RenderOptions(fonts={})).content  # fonts would come from Google
    except OSError as error:
        told = _AT.fullmatch(str(error)[:200])
        what, at = (told[1], told[2]) if told else ("", None)
        line = _line(source) if at is None else source.encode()[: int(at)].count(b"\n") + 1
        raise _wrong(file, line, what or "it cannot be read") from None
    unknown = _UNKNOWN.search(html)
    if unknown is not None:
        line = source[: max(source.find(unknown[0]), 0)].count("\n") + 1
        raise _wrong(file, line, f"there is no <{unknown[1]}> here")
    return html


def _wrong(file: str, line: int | None, what: str) -> DeclarationError:
    where = file if line is None else f"{file}, line {line},"
    return DeclarationError(f"{where} is no MJML: {what}", fix="mend it; its tags must be closed", code="CX9253")


def _line(source: str) -> int | None:
    """Where it is no XML: mrml does not always say."""
    parser = ParserCreate()
    parser.UseForeignDTD(True)  # so that &nbsp; is no error
    try:
        parser.Parse(source.encode("utf-8", "replace"), True)
    except ExpatError as error:
        return error.lineno
    return None
