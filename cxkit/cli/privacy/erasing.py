"""``cxkit privacy erase SUBJECT``: somebody leaves; what was not seen done is said to be left."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import attrs
import click

from cxkit.cli.asking import may
from cxkit.cli.language import say
from cxkit.cli.privacy.finding import holdings_as_json, print_holdings
from cxkit.cli.privacy.subject import named, opened
from cxkit.cli.terminal import json_option, print_json, print_table
from cxkit.cli.times import date
from cxkit.delivery.receipts import Receipt
from cxkit.kit import Kit, privacy
from cxkit.kit.privacy import Erasure, Holdings
from cxkit.model import Identity

__all__ = ["erase"]

_TIMEOUT_S: Final = 30.0


@click.command()
@click.argument("subject")
@click.option("--suppress", is_flag=True, help="They may not come back: a login of theirs stays unrecognised.")
@click.option("--until", metavar="DATE", callback=date, help="... before then: a date, or with a time.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def erase(*, subject: str, suppress: bool, until: datetime | None, yes: bool, as_json: bool) -> None:
    """Erase all that is held of somebody, for good.

    SUBJECT is a user_id, or TYPE:VALUE: nancy, visitor:7f3a, phone:+33123456789. By one identifier all of theirs are
    meant. The application may be running. It waits for half a minute; what is not done by then goes on. Exits with
    1 if something is left, or was not seen to go.
    """
    if until is not None and not suppress:
        raise click.BadParameter(say("it says how long they are suppressed: add --suppress"), param_hint="--until")
    if until is not None and until <= datetime.now(UTC):
        raise click.BadParameter(say("this is past: they could come back at once"), param_hint="--until")
    with opened() as kit:
        identity = named(kit, subject)
        found = privacy.find(kit.premises, identity)
        if not as_json:
            print_holdings(found)
        if found.empty and not found.kept and not suppress:
            _tell_of_nobody(found, as_json=as_json)
            return
        if not may(say("erase all of it for good? [y/N]"), yes=yes, quiet=as_json):
            raise SystemExit(1)
        done = _erase(kit, identity, suppress=suppress, until=until, quiet=as_json)
    if as_json:
        print_json(_as_json(done))
    else:
        _tell(done)
    if not done.complete:
        raise SystemExit(1)


def _erase(kit: Kit, identity: Identity, *, suppress: bool, until: datetime | None, quiet: bool) -> Erasure:
    def stage(name: str) -> None:
        if not quiet:
            click.echo(_stage(name), err=True)

    return privacy.erase(kit.premises, identity, suppress=suppress, until=until, timeout_s=_TIMEOUT_S, stage=stage)


def _stage(name: str) -> str:
    return {
        "store": say("the store ..."),
        "files": say("spools and dead letters ..."),
        "others": say("running processes and exporters ..."),
        "verify": say("looking again ..."),
    }[name]


def _tell(done: Erasure) -> None:
    if not done.committed:
        _tell_of_waiting(done)
        return
    if done.receipts or done.unreached:
        rows = [[name, _outcome(one), _why(one) or None] for name, one in sorted(done.receipts.items())]
        rows += [[name, say("not erased"), say("not an exporter of this process")] for name in done.unreached]
        print_table([say("exporter"), say("outcome"), say("why")], rows)
    click.echo(say("looked again:"))
    print_holdings(done.left)
    if not done.complete:
        click.echo("\n".join(_left_to_do(done)), err=True)


def _left_to_do(done: Erasure) -> Iterator[str]:
    """What is left, and whether asking again would make a difference."""
    left = {name: one.why for name, one in sorted(done.receipts.items()) if one.outcome == "not erased"}
    if not done.left.empty or any(why != "stays" for why in left.values()):
        yield say("not all of it is erased: ask again, or see to what is left by hand")
        return
    yield say("erased here; asking again changes nothing more")
    if left:
        yield say("take out by hand what these have written: {names}", names=", ".join(left))
    if done.unreached:
        names = ", ".join(done.unreached)
        yield say("call cxkit.erase in the application that has these, or see to them by hand: {names}", names=names)


def _tell_of_nobody(found: Holdings, *, as_json: bool) -> None:
    """Nothing is here, nor ever was: a tombstone would be the first that is kept of them."""
    if as_json:
        print_json({**_as_json(Erasure(committed=False, held=found, left=found)), "complete": True})
    else:
        click.echo(say("so there is nothing to erase; if other systems may have them, cxkit.erase asks these, too"))


def _tell_of_waiting(done: Erasure) -> None:
    if done.command is None:
        click.echo(say("nothing is erased, and it is not even noted: there was no room for that; ask again"), err=True)
    else:
        click.echo(
            say("nothing is erased yet, for the store was not reached; it is noted, and done when the store is there"),
            err=True,
        )


def _outcome(one: Receipt) -> str:
    return {"done": say("done"), "requested": say("requested"), "not erased": say("not erased")}[one.outcome]


def _why(one: Receipt) -> str:
    why = {
        "": "",
        "stays": say("it has no way to erase: what it wrote stays"),
        "not_delivered": say("not reached yet, and tried again"),
        "refused": say("refused for ever, now a dead letter"),
    }[one.why]
    return f"{why} ({one.detail})" if one.detail else why


def _as_json(done: Erasure) -> dict[str, object]:
    return {
        "complete": done.complete,
        "committed": done.committed,
        "command": done.command,
        "held": holdings_as_json(done.held),
        "left": holdings_as_json(done.left),
        "receipts": {name: attrs.asdict(one) for name, one in done.receipts.items()},
        "unreached": done.unreached,
    }
