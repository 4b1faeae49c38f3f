"""Addresses as reports and people write them. Sources: RFC 5321, section 4.1.2; RFC 6531; RFC 3461, section 4."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["addresses", "from_xtext", "mailboxes", "only_address", "same"]

_ATOM: Final = r"[^\s<>()\[\],;:\"@\\|]"
ADDRESS: Final = rf'(?:"[^"\n@]{{1,64}}"|(?<![^\s<>()\[\],;:"@\\|]){_ATOM}{{1,120}})@{_ATOM}{{1,253}}'
_ADDRESS: Final = re.compile(ADDRESS)
_NAMED: Final = re.compile(r"[^\s<>,;:\"]{1,120}@[^\s<>,;:\"]{1,253}\"?\s{0,3}<(?=[^<>\s]{1,200}@)")
_HOST: Final = re.compile(r"\w(?:[\w-]{0,80}\w)?(?:\.\w(?:[\w-]{0,80}\w)?){0,30}")
_XTEXT: Final = re.compile(r"\+([0-9A-F]{2})")
_UTF8_XTEXT: Final = re.compile(r"\\x\{([0-9A-Fa-f]{1,6})\}")
_MAX_FOUND: Final = 200


def addresses(text: str) -> list[str]:
    """Each address in a text, in order; a hundred and more are cut off.

    Example:
        >>> addresses("<nancy@example.org>: unknown; write to 'postmaster@example.org'.")
        ['nancy@example.org', 'postmaster@example.org']
    """
    found = []
    for match in _ADDRESS.finditer(text):
        if address := _clean(match[0]):
            found.append(address)
        if len(found) >= _MAX_FOUND:
            break
    return found


def _clean(found: str) -> str | None:
    local, _, host = found.rpartition("@")
    if not local.startswith('"'):
        local = local.lstrip("'`*" if local.startswith("=?") else "'`*=")
        local = local[5:] if local[:5].casefold() == "smtp=" else local
    match = _HOST.match(host)
    return f"{local}@{match[0]}" if local and match else None


def mailboxes(text: str) -> list[str]:
    """The same without addresses that are the names of others: ``nancy@example.org <info@example.org>`` has one."""
    return addresses(_NAMED.sub("<", text))


def only_address(value: str) -> str | None:
    """The one address that a field is about: the first in angle brackets, else the first."""
    value = value[:2000]
    bracketed = re.search(r"<([^<>]{1,400})>", value)
    found = (addresses(bracketed[1]) if bracketed else []) or addresses(value)
    return found[0] if found else None


def same(one: str | None, other: str | None) -> bool:
    """Whether two are written alike but for case: mailboxes that tell case apart are not met."""
    return one is not None and other is not None and one.casefold() == other.casefold()


def from_xtext(value: str) -> str:
    r"""What RFC 3461's and RFC 6533's ways to write an address in ASCII stand for.

    Example:
        >>> from_xtext("nancy+2Bcandy+40example.org"), from_xtext("\\x{E9}ve@example.org")
        ('nancy+candy@example.org', 'éve@example.org')
    """
    if "\\x{" in value:
        return _UTF8_XTEXT.sub(lambda match: _character(int(match[1], 16)), value)
    return _XTEXT.sub(lambda match: _character(int(match[1], 16)), value)


def _character(code: int) -> str:
    return chr(code) if 0x20 < code < 0xD800 or 0xDFFF < code <= 0x10FFFF else "\ufffd"
