"""The oracle: it names what is lost, what is claimed and what is invented."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.delivery.account import Account, ExporterAccount
from cxkit.testing.oracle import conserved, differences

COUNT = st.integers(0, 50)


@given(delivered=COUNT, dead=COUNT, dropped=COUNT, pending=COUNT, before=COUNT, early=COUNT, twice=COUNT)
def test_what_adds_up_is_conserved_and_one_more_or_less_is_not(
    delivered: int, dead: int, dropped: int, pending: int, before: int, early: int, twice: int
) -> None:
    one = ExporterAccount(delivered=delivered, dead=dead, dropped={"consent": dropped}, pending=pending, before=before)
    spooled = delivered + dead + dropped + pending + before
    account = Account(spooled=spooled, dropped={"full": early}, exporters={"crm": one})
    ids = [str(number) for number in range(delivered)]
    conserved(account, received={"crm": ids + ids[:twice]}, captured=spooled + early)
    for off in (-1, 1):
        assert list(differences(account, received={"crm": ids}, captured=spooled + early + off))
        other = Account(spooled=spooled + off, dropped={"full": early}, exporters={"crm": one})
        assert list(differences(other, received={"crm": ids}))
    if delivered:
        assert list(differences(account, received={"crm": ids[1:]}))
    most = delivered + dead + dropped + pending
    invented = [str(number) for number in range(most + 1)]
    assert list(differences(account, received={"crm": invented}))
    assert not list(differences(account, received={"crm": invented[:most]})), "accepted, and not acknowledged yet"


def test_each_difference_is_named() -> None:
    one = ExporterAccount(delivered=3, dead=1, dropped={"consent": 2}, pending=1)
    account = Account(spooled=9, exporters={"crm": one})
    with pytest.raises(AssertionError) as caught:
        conserved(account, received={"crm": ["a", "b", "b"], "tax": []}, captured=10)
    assert str(caught.value).splitlines() == [
        "the account does not add up:",
        "10 were captured, and 9 are accounted for: 1 missing",
        "crm: 9 were spooled, and 0 before + 3 delivered + 1 dead + 2 dropped (consent) + 1 pending is 7: 2 missing",
        "crm: 3 are said to be delivered, and the other side has 2: 1 claimed",
        "tax: no such exporter in the account",
    ]
