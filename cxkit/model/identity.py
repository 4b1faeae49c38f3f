"""Identity: the identifiers known in an interaction, each with its evidence."""

from __future__ import annotations

from typing import Final, Literal

import attrs

__all__ = ["EVIDENCE", "Evidence", "Identifier", "Identity"]

Evidence = Literal["claim", "token", "cookie", "login"]

EVIDENCE: Final[tuple[Evidence, ...]] = ("claim", "token", "cookie", "login")
"""Weakest first: an unsigned claim, a message token, a signed cookie, a login."""


@attrs.frozen(kw_only=True)
class Identifier:
    """One identifier of a customer.

    Example:
        >>> Identifier(type="user_id", value="nancy", evidence="login").rank
        3
    """

    type: str
    """``visitor``, ``user_id``, ``email``, ``phone``, ``loyalty``, ..."""
    value: str
    """The value; of a contact (e-mail, phone) the keyed hash, never the address."""
    evidence: Evidence
    """How it is known."""

    @property
    def rank(self) -> int:
        """0 (claim) to 3 (login)."""
        return EVIDENCE.index(self.evidence)

    @property
    def proven(self) -> bool:
        """Whether a signed cookie or a login vouches for it."""
        return self.evidence in ("cookie", "login")


@attrs.frozen(kw_only=True)
class Identity:
    """The identifiers known in one interaction, the strongest first, one of each type."""

    identifiers: tuple[Identifier, ...] = ()

    def get(self, type: str) -> Identifier | None:
        """The identifier of that type, if there is one."""
        return next((one for one in self.identifiers if one.type == type), None)

    @property
    def signed_in(self) -> bool:
        """Whether a login says who it is."""
        return any(one.evidence == "login" for one in self.identifiers)

    @property
    def proven(self) -> bool:
        """Whether a login or a cookie says who it is."""
        return any(one.proven for one in self.identifiers)

    def __bool__(self) -> bool:
        return bool(self.identifiers)
