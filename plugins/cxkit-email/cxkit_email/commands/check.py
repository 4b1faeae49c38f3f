"""``cxkit email check``: a mail that goes out, explained. No address, no token and no query is told."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import attrs
import click

from cxkit.cli.checks.finding import fails, print_findings
from cxkit.cli.language import pair, say
from cxkit.cli.terminal import print_json, print_table
from cxkit.errors import StoreError
from cxkit.model import Mailing, Message
from cxkit_email.commands.findings import Checked, findings
from cxkit_email.commands.known import Known, known
from cxkit_email.commands.mail import Carried, Link, Outgoing, made_at, outgoing, place
from cxkit_email.dkim import dkim_coverage
from cxkit_email.hits import judged
from cxkit_email.tokens import NOBODY
from cxkit_email.wire import wire_faults

__all__ = ["check"]

_LARGEST: Final = 64 << 20
"""No server takes as much."""
_UNSEEN: Final = "honeypot"
"""Where a link leads that nobody sees: nowhere."""


def check(path: Path, *, as_json: bool) -> None:
    """Explain the mail in a file. Exits with 1 if something is wrong.

    Raises:
        OSError: It cannot be read.
        ConfigurationError: A setting is wrong.
    """
    with path.open("rb") as file:
        raw = file.read(_LARGEST + 1)
    if len(raw) > _LARGEST:
        raise click.ClickException(say("{path} is larger than any mail", path=path))
    with known() as here:
        checked = _checked(raw, here)
    found = list(findings(checked))
    if as_json:
        print_json({**_as_json(checked), "findings": [attrs.asdict(one) for one in found]})
    else:
        _tell(checked)
        print_findings(found)
    if fails(found):
        raise SystemExit(1)


def _checked(raw: bytes, here: Known) -> Checked:
    url = None if here.settings is None else here.settings.url
    mail = outgoing(raw, keyring=here.keyring, url=url)
    plain = Checked(
        mail=mail,
        faults=wire_faults(raw),
        coverage=dkim_coverage(raw),
        keys=here.keyring is not None,
        reached=here.reached,
        now_s=time.time(),
    )
    try:
        return _with_store(plain, mail, here)
    except StoreError:
        return attrs.evolve(plain, reached=False)


def _with_store(checked: Checked, mail: Outgoing, here: Known) -> Checked:
    named = {one.said.mailing for one in mail.carried if one.said is not None and one.where in ("link", "pixel")}
    message = here.message(mail.sends[0]) if len(mail.sends) == 1 else None
    if message is not None and message.mailing is not None:
        named.add(message.mailing)
    checked = attrs.evolve(checked, mailings={one: here.mailing(one) for one in named})
    if message is None or here.kit is None:
        return checked
    state, contradictory = here.kit.messages.state(message)
    return attrs.evolve(
        checked,
        message=message,
        state=state,
        contradictory=contradictory,
        transactional=here.transactional(message.topic),
    )


# --- for people -----------------------------------------------------------------------------------


def _tell(checked: Checked) -> None:
    for line in (*_of_message(checked), *_of_leaving(checked), *_of_signatures(checked)):
        click.echo(line)
    for heads, rows in (_tokens(checked), _links(checked), _hits(checked)):
        if rows:
            click.echo()
            print_table(heads, rows)
    click.echo()


def _of_message(checked: Checked) -> Iterator[str]:
    for send in checked.mail.sends:
        at = made_at(send)
        yield pair(say("message"), say("{id}, prepared {time}", id=send, time=_clock(at)) if at else send)
    message = checked.message
    if message is None:
        return
    yield pair(say("topic"), message.topic)
    if message.campaign:
        yield pair(say("campaign"), message.campaign)
    yield pair(say("state"), checked.state if message.happened else say("not sent yet"))
    if message.happened:
        times = sorted((at, one) for one, at in message.happened.items())
        yield pair(say("happened"), ", ".join(f"{one} {_clock(at)}" for at, one in times))
    if message.bounce is not None:
        yield pair(say("bounce"), ", ".join(_bounce(message)))


def _bounce(message: Message) -> list[str]:
    one = message.bounce
    said = [] if one is None else [one.kind, one.reason, one.status, one.smtp]
    return [str(each) for each in said if each is not None]


def _of_leaving(checked: Checked) -> Iterator[str]:
    leaving = checked.mail.leaving
    ways = [
        say("with one click") if leaving.https and leaving.one_click else None,
        say("on a page") if (leaving.https or leaving.http) and not leaving.one_click else None,
        say("by a mail") if leaving.mailto else None,
    ]
    yield pair(say("leaving"), ", ".join(one for one in ways if one) or say("by no header"))


def _of_signatures(checked: Checked) -> Iterator[str]:
    for one in checked.coverage.signatures:
        by = f"{one.domain} ({one.selector})"
        if one.uncovered:
            yield pair(say("signed"), say("{by}, without {headers}", by=by, headers=", ".join(one.uncovered)))
        else:
            yield pair(say("signed"), say("{by}, with From and what one leaves by", by=by))


def _tokens(checked: Checked) -> tuple[list[str], list[list[object]]]:
    numbers = Counter((one.where, _whose(one)) for one in checked.mail.carried)
    return [say("token"), say("number"), say("verifies")], [
        [where, number, whose] for (where, whose), number in numbers.items()
    ]


def _whose(one: Carried) -> str:
    if one.said is None:
        return say("no")
    return say("yes, of nobody") if one.said.send == NOBODY else say("yes, of {id}", id=one.said.send)


def _links(checked: Checked) -> tuple[list[str], list[list[object]]]:
    rows: list[list[object]] = []
    for one, to in _led(checked):
        number = "-" if one.number is None else str(one.number)
        rows.append([number, to or say("nobody knows where to"), say("yes") if one.followed else _why(one)])
    return ["#", say("link"), say("followed")], rows


def _led(checked: Checked) -> Iterator[tuple[Link, str]]:
    """Each link and where it leads; those that are followed as their mailing says, ``""`` if none is known."""
    followed = iter([one for one in checked.mail.carried if one.where == "link"])
    for link in checked.mail.links:
        yield link, _place(next(followed), checked.mailings) if link.followed else link.to


def _place(one: Carried, mailings: Mapping[str, Mailing | None]) -> str:
    mailing = None if one.said is None else mailings.get(one.said.mailing)
    if one.said is None or mailing is None or one.said.number > len(mailing.urls):
        return ""
    number = one.said.number
    return place(mailing.urls[number]) if number < len(mailing.urls) else _UNSEEN


def _why(link: Link) -> str:
    return {
        "not_web": say("no: it is not of the web"),
        "fragment": say("no: it stays in the mail"),
        "relative": say("no: it has no host"),
        "direct": say("no: data-cx-direct says so"),
        "unsubscribe": say("no: one leaves by it"),
        "template": say("no: a template is still to fill it in"),
        "unreadable": say("no: it is no address"),
    }.get(link.why or "", say("no: why, a mail does not tell"))


def _hits(checked: Checked) -> tuple[list[str], list[list[object]]]:
    return [say("when"), say("hit"), "#", say("by"), say("reasons")], [
        [_clock(datetime.fromisoformat(one["at"])), one["kind"], _number(one["link"]), one["by"], _listed(one)]
        for one in _judged(checked)
    ]


def _number(link: int | None) -> str | None:
    return None if link is None else str(link)


def _listed(one: Mapping[str, Any]) -> str | None:
    return ", ".join(one["reasons"]) or None


def _clock(at: datetime) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


# --- for programs ---------------------------------------------------------------------------------


def _judged(checked: Checked) -> list[dict[str, Any]]:
    message = checked.message
    mailing = None if message is None else checked.mailings.get(message.mailing or "")
    if message is None or mailing is None:
        return []
    return [
        {"at": hit.at.isoformat(), "kind": hit.kind, "link": hit.link, "by": one.actor, "reasons": one.reasons}
        for hit, one in judged(message, mailing)
    ]


def _as_json(checked: Checked) -> dict[str, object]:
    mail, coverage = checked.mail, checked.coverage
    return {
        "message": _message_as_json(checked),
        "faults": checked.faults,
        "leaving": attrs.asdict(mail.leaving),
        "tokens": [
            {
                "where": one.where,
                "verified": one.said is not None,
                "message": one.send,
                "prepared_at": made_at(one.send) if one.send else None,
                "link": one.said.number if one.said is not None and one.where == "link" else None,
            }
            for one in mail.carried
        ],
        "links": [{**attrs.asdict(one), "to": to} for one, to in _led(checked)],
        "dkim": {
            "signatures": [
                {**attrs.asdict(one), "expired": one.expired(now_s=checked.now_s)} for one in coverage.signatures
            ],
            "unreadable": coverage.unreadable,
            "one_click": coverage.one_click,
        },
    }


def _message_as_json(checked: Checked) -> dict[str, object] | None:
    message = checked.message
    if message is None:
        return None
    bounce = message.bounce
    said = None if bounce is None else {**attrs.asdict(bounce), "kind": bounce.kind}
    if said is not None:
        del said["diagnostic"]
    return {
        "id": message.id,
        "topic": message.topic,
        "campaign": message.campaign,
        "transactional": checked.transactional,
        "state": checked.state,
        "contradictory": checked.contradictory,
        "happened": message.happened,
        "bounce": said,
        "hits": _judged(checked),
    }
