"""Money: exact, in major units, never a float."""

from __future__ import annotations

import decimal
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit import money
from cxkit.errors import InvalidInteractionError
from cxkit.model import Money
from tests import strategies as some

EXPONENTS = {"EUR": 2, "USD": 2, "CHF": 2, "JPY": 0, "KRW": 0, "XOF": 0, "BHD": 3, "TND": 3, "CLF": 4, "UYW": 4}


@pytest.mark.parametrize("currency", EXPONENTS)
@given(amount=some.amounts)
def test_minor_units_follow_iso_4217_and_round_half_to_even(currency: str, amount: Decimal) -> None:
    with decimal.localcontext(prec=100):
        units = (amount * 10 ** EXPONENTS[currency]).quantize(Decimal(1), decimal.ROUND_HALF_EVEN)
    assert Money(amount, currency).minor == int(units)


@given(st.integers(-(10**30), 10**30), st.sampled_from(["EUR", "JPY", "CLF"]))
def test_minor_units_are_exact_however_long_the_amount(units: int, currency: str) -> None:
    """And whatever the host has set its Decimal context to."""
    with decimal.localcontext(prec=3, traps=[decimal.Inexact]):
        amount = Decimal((units < 0, tuple(map(int, str(abs(units)))), -EXPONENTS[currency]))
        assert Money(amount, currency).minor == units


@given(some.moneys)
def test_text_gives_the_amount_back(one: Money) -> None:
    assert Money(str(one.amount), one.currency.lower()) == one
    assert str(Money(str(one.amount), one.currency).amount) == str(one.amount)


def test_an_amount_is_kept_as_it_was_written() -> None:
    assert str(money("24.90", "EUR").amount) == "24.90"
    assert (money(3, "eur").amount, money(3, "eur").currency) == (Decimal(3), "EUR")


@pytest.mark.parametrize("amount", [24.9, 0.0, True, float("nan")])
def test_a_float_has_already_lost_cents(amount: Any) -> None:
    with pytest.raises(InvalidInteractionError) as caught:
        Money(amount, "EUR")
    assert caught.value.code == "CX3110"


@pytest.mark.parametrize(
    "amount",
    ["", "x", "24,90", "1e400", "NaN", "sNaN", "Infinity", "-inf", "1e31", "1e-31", "1" * 41, "0." + "1" * 41, None,
     [], b"1", object(), 10**40, Decimal("NaN")],

)  # fmt: skip
def test_what_is_no_amount_is_refused(amount: Any) -> None:
    with pytest.raises(InvalidInteractionError) as caught:
        Money(amount, "EUR")
    assert caught.value.code == "CX3111"


@pytest.mark.parametrize("currency", ["", "EU", "EURO", "E R", "€UR", "ßE", "12A", "EUR\n", None, 978, b"EUR"])
def test_what_is_no_currency_is_refused(currency: Any) -> None:
    with pytest.raises(InvalidInteractionError) as caught:
        Money("1", currency)
    assert caught.value.code == "CX3112"
