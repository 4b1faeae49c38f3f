"""Money: an exact amount in a currency."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Final

import attrs

from cxkit.errors import InvalidInteractionError

__all__ = ["Money"]

_MAX_DIGITS: Final = 40
# ISO 4217 exponents that are not 2.
_EXPONENTS: Final = {
    **dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
    "CLF": 4,
    "UYW": 4,
}


def _amount(value: str | int | Decimal) -> Decimal:
    if isinstance(value, (bool, float)):  # a float has already lost cents
        raise InvalidInteractionError(
            f"an amount of money was given as {type(value).__name__}",
            fix='give it as text, e.g. "24.90", or as a Decimal',
            code="CX3110",
        )
    try:
        amount = Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        amount = Decimal("NaN")
    if not amount.is_finite() or abs(amount.adjusted()) > 30 or len(amount.as_tuple().digits) > _MAX_DIGITS:
        raise InvalidInteractionError(
            "an amount of money is not a number", fix='give it as text, e.g. "24.90"', code="CX3111"
        )
    return amount


def _currency(value: str) -> str:
    if type(value) is not str or len(value) != 3 or not (value.isascii() and value.isalpha()):
        raise InvalidInteractionError(
            "a currency is not a code of three letters", fix='use ISO 4217, e.g. "EUR"', code="CX3112"
        )
    return value.upper()


@attrs.frozen
class Money:
    """An exact amount in a currency.

    Args:
        amount: Major units, exact: text or ``Decimal``; never a float.
        currency: ISO 4217 code.

    Raises:
        InvalidInteractionError: The amount is no finite number, or the currency no code.

    Example:
        >>> Money("24.90", "eur").minor
        2490
        >>> Money("500", "JPY").minor
        500
    """

    amount: Decimal = attrs.field(converter=_amount)
    currency: str = attrs.field(converter=_currency)

    @property
    def minor(self) -> int:
        """The amount in minor units (cents) by the exponents of ISO 4217, rounded half to even."""
        # Not scaleb(): a Decimal context may round to fewer digits than an amount has.
        units: int = 10 ** _EXPONENTS.get(self.currency, 2)
        return round(Fraction(self.amount) * units)
