"""What is wrong with a mail that goes out, or worth knowing, and what to do about each of it."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from cxkit.cli.checks.finding import Finding, Severity
from cxkit.cli.language import count, say
from cxkit.model import Mailing, Message
from cxkit.model.message import Happening
from cxkit_email.commands.mail import MOST_LINKS, Outgoing
from cxkit_email.dkim import Coverage
from cxkit_email.headers import MAX_LINE, ONE_CLICK

__all__ = ["Checked", "findings"]


@attrs.frozen(kw_only=True)
class Checked:
    """All that a mail and the store say."""

    mail: Outgoing
    faults: tuple[str, ...]
    """Of its headers and lines on the wire."""
    coverage: Coverage
    keys: bool
    """Whether there are keys here to verify tokens with."""
    reached: bool
    """Whether the store could be asked."""
    now_s: float
    message: Message | None = None
    """The one that its tokens name."""
    mailings: dict[str, Mailing | None] = attrs.field(factory=dict)
    """Those that its links and pixels name."""
    state: Happening | None = None
    contradictory: bool = False
    transactional: bool = False


def findings(checked: Checked) -> Iterator[Finding]:
    """What is found, in no order."""
    yield from map(_of_wire, checked.faults)
    if not checked.mail.readable:
        what = say("its parts cannot be read: they are nested too deeply, or broken")
        yield _error("wire", what, say("make it anew; nothing was looked for in its HTML"))
    yield from _of_leaving(checked)
    yield from _of_tokens(checked)
    yield from _of_links(checked)
    yield from _of_message(checked)
    yield from _of_signatures(checked)


def _of_wire(fault: str) -> Finding:
    return _error("wire", _fault(fault), _mended(fault))


def _fault(fault: str) -> str:
    return {
        "mixed_breaks": say("some lines end with CRLF and some do not: a server may refuse it, or read two mails"),
        "long_line": say("a line of the body has more than {octets} octets: a server may cut it", octets=MAX_LINE),
        "long_header_line": say(
            "a line of the headers has more than {octets} octets: a server may cut it", octets=MAX_LINE
        ),
        "eight_bit_header": say("a header is not ASCII, which few servers take"),
        "malformed_header": say("a line among the headers is none: what follows may be read as the body"),
        "repeated_header": say("a header is there twice that may be there once"),
        "encoded_unsubscribe": say("List-Unsubscribe is written as encoded words: no mail program shows its button"),
        "malformed_unsubscribe": say("List-Unsubscribe is no list of addresses in angle brackets, each in one piece"),
        "other_one_click": say("List-Unsubscribe-Post says something else than {wanted}", wanted=ONE_CLICK),
        "one_click_nowhere": say("List-Unsubscribe-Post is there, and List-Unsubscribe has no address with https"),
    }.get(fault, fault)


def _mended(fault: str) -> str:
    if fault in ("mixed_breaks", "malformed_header"):
        return say("hand on what cxkit_email.wire.wire() makes, unchanged")
    if fault == "long_line":
        return say("give the part another transfer encoding: quoted-printable or base64")
    if fault in ("long_header_line", "eight_bit_header", "encoded_unsubscribe"):
        return say("have the mail written by cxkit_email.wire.wire(), or under a policy with max_line_length=0")
    if fault == "repeated_header":
        return say("take one of them out before the mail is written")
    return say("leave these headers to prepare()")


def _of_leaving(checked: Checked) -> Iterator[Finding]:
    leaving, message = checked.mail.leaving, checked.message
    if not leaving.any:
        if message is None:
            what = say("no header says how to leave: right for what is transactional, and for nothing else")
            yield _note("leaving", what, say("for anything else, make it with prepare()"))
        elif not checked.transactional:
            what = say("no header says how to leave, and {topic} is not transactional", topic=message.topic)
            yield _error("leaving", what, say("set [email] url, and send what prepare() returns with all its headers"))
        return
    if not leaving.https:
        what = say("nobody can leave with one click: no address to leave at has https")
        yield _error("leaving", what, say("give [email] url with https"))
    elif not leaving.one_click and "other_one_click" not in checked.faults:
        what = say("List-Unsubscribe-Post is missing: the button to leave opens a page, or is not shown")
        yield _error("leaving", what, say("send what prepare() returns with all its headers"))
    if checked.transactional and message is not None:
        what = say("it can be left, though {topic} is transactional", topic=message.topic)
        yield _warning("leaving", what, say("see where the header comes from: leaving changes nothing"))
    if checked.keys and not any(one.where == "List-Unsubscribe" for one in checked.mail.carried):
        what = say("the address to leave at is none of this application: whoever leaves there, it does not know of")
        yield _warning("leaving", what, say("have whoever it belongs to tell it, by a webhook; or set [email] url"))


def _of_tokens(checked: Checked) -> Iterator[Finding]:
    mail = checked.mail
    unverified = sum(one.said is None for one in mail.carried)
    if not checked.keys:
        what = say("there are no keys here, so whether it has tokens of the application cannot be seen")
        yield _warning("tokens", what, say("run this in the directory of the application that sends"))
    elif unverified:
        what = count(
            "{number} token in it does not verify: altered, or made with keys that are not here",
            "{number} tokens in it do not verify: altered, or made with keys that are not here",
            unverified,
        )
        yield _error("tokens", what, say("keep old keys in keys.signing behind the new one; alter nothing afterwards"))
    if len(mail.sends) > 1:
        what = say("its tokens name {number} messages: whoever opens, follows or leaves is taken for another",
                   number=len(mail.sends))  # fmt: skip
        yield _error("tokens", what, say("call prepare() once for each recipient, and send each result to that one"))
    if mail.sends and not any(one.where == "X-CX-Send" for one in mail.carried):
        what = say("the header X-CX-Send is missing: some bounces will not find the message")
        yield _warning("tokens", what, say("send what prepare() returns with all its headers"))


def _of_links(checked: Checked) -> Iterator[Finding]:
    if checked.mail.cut:
        what = say("it has more than {number} links and pictures; the others were not looked at", number=MOST_LINKS)
        yield _note("links", what, say("see why: mail programs cut mails as long as that"))
    dead = 0
    for one in checked.mail.carried:
        if one.where == "link" and one.said is not None and one.said.mailing in checked.mailings:
            mailing = checked.mailings[one.said.mailing]
            dead += mailing is None or one.said.number > len(mailing.urls)
    if dead and checked.reached:
        what = count(
            "{number} link leads nowhere: nothing is known here of where it led",
            "{number} links lead nowhere: nothing is known here of where they led",
            dead,
        )
        yield _error("links", what, say("keep the application's store; links need it for as long as mails are read"))
    unknown = sum(one.why == "unknown" for one in checked.mail.links)
    if unknown and checked.mail.sends:
        what = count(
            "{number} link could be followed and is not: whether its recipient allows no analytics, or [email] says "
            "so, a mail does not tell",
            "{number} links could be followed and are not: whether its recipient allows no analytics, or [email] says "
            "so, a mail does not tell",
            unknown,
        )
        yield _note("links", what, say("nothing, if that is wanted; `cxkit why` tells what somebody allows"))


def _of_message(checked: Checked) -> Iterator[Finding]:
    if not checked.reached:
        what = say("the store could not be asked: what became of the message is not known")
        yield _warning("message", what, say("see `cxkit doctor`"))
    elif len(checked.mail.sends) == 1 and checked.message is None:
        what = say("the store knows nothing of this message: it was prepared elsewhere, or its recipient was erased")
        yield _warning("message", what, say("run this where its store is; leaving by it changes nothing here"))
    elif not checked.mail.sends and checked.keys and not any(one.said is None for one in checked.mail.carried):
        what = say("it carries no token of this application: nothing that comes back will find it")
        yield _note("message", what, say("make it with prepare(), if it should"))
    if checked.contradictory:
        what = say("by what was told, somebody has it, and cannot have it: it was delivered, and it bounced")
        yield _warning("message", what, say("nothing: the address stays suppressed if it bounced for good"))


def _of_signatures(checked: Checked) -> Iterator[Finding]:
    coverage, leaving = checked.coverage, checked.mail.leaving
    if coverage.unreadable:
        what = count(
            "{number} DKIM signature cannot be read", "{number} DKIM signatures cannot be read", coverage.unreadable
        )
        yield _error("dkim", what, say("see what signs, or what alters headers after it"))
    if not coverage.signatures:
        if not coverage.unreadable:
            what = say("it is not signed: whatever sends it signs it later, or nobody does")
            yield _note("dkim", what, say("check it once more as it arrived"))
        return
    if leaving.https and leaving.one_click and not coverage.one_click:
        what = say("no signature covers both headers by which one leaves: mail programs show no button")
        yield _error("dkim", what, say("have what cxkit_email.dkim.dkim_headers() lists signed"))
    for one in coverage.signatures:
        if "from" in one.uncovered:
            what = say("the signature of {domain} does not cover From", domain=one.domain)
            yield _error("dkim", what, say("have what cxkit_email.dkim.dkim_headers() lists signed"))
        if one.expired(now_s=checked.now_s):
            what = say("the signature of {domain} has expired", domain=one.domain)
            yield _note("dkim", what, say("nothing, if it was sent before; else sign it anew"))
        if one.partial:
            what = say("the signature of {domain} covers the beginning of the body alone (l=)", domain=one.domain)
            yield _warning("dkim", what, say("sign the whole body: anybody can add to the rest"))


def _error(about: str, what: str, fix: str) -> Finding:
    return _finding("error", about, what, fix)


def _warning(about: str, what: str, fix: str) -> Finding:
    return _finding("warning", about, what, fix)


def _note(about: str, what: str, fix: str) -> Finding:
    return _finding("note", about, what, fix)


def _finding(severity: Severity, about: str, what: str, fix: str) -> Finding:
    return Finding(severity=severity, about=about, what=what, fix=fix)
