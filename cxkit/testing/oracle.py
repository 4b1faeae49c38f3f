"""The conservation of interactions: what the account says, against what the other sides really have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from cxkit.delivery.account import Account, ExporterAccount

__all__ = ["conserved", "differences"]


def conserved(account: Account, *, received: Mapping[str, Iterable[str]], captured: int | None = None) -> None:
    """Check that nothing is lost and nothing is claimed: captured = delivered + pending + dropped + dead.

    Args:
        account: What the kit says, `cxkit.Kit.account`.
        received: Name of an exporter to the ids that its other side has, duplicates included.
        captured: How many interactions were captured, if it is known, commands included.

    Raises:
        AssertionError: It does not add up; the message names each difference.

    Example:
        >>> account = Account(spooled=3, exporters={"crm": ExporterAccount(delivered=2, dead=1)})
        >>> conserved(account, received={"crm": ["a", "b", "b"]}, captured=3)
        >>> conserved(account, received={"crm": ["a"]}, captured=4)
        Traceback (most recent call last):
            ...
        AssertionError: the account does not add up:
        4 were captured, and 3 are accounted for: 1 missing
        crm: 2 are said to be delivered, and the other side has 1: 1 claimed
    """
    found = list(differences(account, received=received, captured=captured))
    if found:
        raise AssertionError("\n".join(["the account does not add up:", *found]))


def differences(
    account: Account, *, received: Mapping[str, Iterable[str]], captured: int | None = None
) -> Iterator[str]:
    """Each way in which it does not add up, in words.

    Example:
        >>> list(differences(Account(), received={"crm": []}))
        ['crm: no such exporter in the account']
    """
    if captured is not None and captured != account.captured:
        known = account.captured
        yield f"{captured} were captured, and {known} are accounted for: {_missing(captured - known)}"
    for name, one in account.exporters.items():
        sums = one.before + one.delivered + one.dead + sum(one.dropped.values()) + one.pending
        if sums != account.spooled:
            difference = _missing(account.spooled - sums)
            yield f"{name}: {account.spooled} were spooled, and {_spelt(one)} is {sums}: {difference}"
    for name, ids in received.items():
        if name not in account.exporters:
            yield f"{name}: no such exporter in the account"
            continue
        yield from _claims(name, account.exporters[name], len(set(ids)))


def _claims(name: str, one: ExporterAccount, there: int) -> Iterator[str]:
    if one.delivered > there:
        yield (
            f"{name}: {one.delivered} are said to be delivered, and the other side has {there}: "
            f"{one.delivered - there} claimed"
        )
    # What was accepted and never acknowledged is still pending, or was dropped or buried later.
    most = one.delivered + one.pending + one.dead + sum(one.dropped.values())
    if there > most:
        yield f"{name}: the other side has {there}, and at most {most} were handed over: {there - most} invented"


def _missing(count: int) -> str:
    return f"{count} missing" if count > 0 else f"{-count} too many"


def _spelt(one: ExporterAccount) -> str:
    dropped = "".join(f" + {count} dropped ({reason})" for reason, count in one.dropped.items())
    return f"{one.before} before + {one.delivered} delivered + {one.dead} dead{dropped} + {one.pending} pending"
