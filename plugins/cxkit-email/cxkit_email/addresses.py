"""An address as one person gives it: one, and nothing beside it."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from email.errors import MessageError, ObsoleteHeaderDefect
from email.headerregistry import Address
from email.policy import default as policy
from typing import Final

from cxkit.errors import InvalidInteractionError

__all__ = ["address_of", "one_line", "only"]

_LONGEST: Final = 1_000
_FIX: Final = 'give one like "Nancy <nancy@example.com>"; for a name that somebody else chose, an Address'


def address_of(told: str | Address, what: str) -> Address:
    """The one address that this is. Neither it nor a name is ever repeated in what goes wrong.

    Args:
        what: What it is for, in one word.

    Raises:
        InvalidInteractionError: It is none, or several, or holds a line's end or another control character.

    Example:
        >>> address_of("Dr. Nancy O. <nancy@example.com>", "to").addr_spec
        'nancy@example.com'
        >>> str(address_of(Address("eve@example.com, Nancy", addr_spec="nancy@example.com"), "to"))
        '"eve@example.com, Nancy" <nancy@example.com>'
    """
    address = told if isinstance(told, Address) else _parsed(told)
    if address is None or not address.username or not address.domain or not one_line(str(address)):
        raise InvalidInteractionError(f'"{what}" is not one address', fix=_FIX, code="CX9257")
    return address


def one_line(text: str) -> bool:
    """Whether it has neither line's ends nor other control characters, nor half of a character."""
    return all(unicodedata.category(each) not in {"Cc", "Cs", "Zl", "Zp"} for each in text)


def only(recipients: Collection[str]) -> str:
    """The one to whom a mail with a topic goes.

    Raises:
        InvalidInteractionError: There are several, or none.

    Example:
        >>> only(["nancy@example.com"])
        'nancy@example.com'
    """
    if len(recipients) != 1:
        fix = "make one message for each, for each is followed and left by itself"
        raise InvalidInteractionError("an e-mail with a topic has not one recipient", fix=fix, code="CX9263")
    return next(iter(recipients))


def _parsed(told: str) -> Address | None:
    """None unless it is one address and no more."""
    if len(told) > _LONGEST or not one_line(told):
        return None
    try:
        header = policy.header_factory("to", told)
    except (MessageError, ValueError, LookupError, AttributeError, RecursionError):  # what its grammar did not foresee
        return None
    groups, defects = header.groups, header.defects
    if len(groups) != 1 or groups[0].display_name is not None or len(groups[0].addresses) != 1:
        return None
    return groups[0].addresses[0] if all(isinstance(one, ObsoleteHeaderDefect) for one in defects) else None
