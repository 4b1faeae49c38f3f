"""Why nothing arrives from a process: what can be told from outside, and the one thing to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import attrs

from cxkit.cli.checks.code import unread
from cxkit.cli.checks.reasons import Meaning, meaning_of
from cxkit.cli.dev.ports import Listener, listeners
from cxkit.cli.init.apps import DJANGO, FLASK, STARLETTE, App, Django, Found, find
from cxkit.cli.language import count, say
from cxkit.delivery.account import Account, ExporterAccount, read_account
from cxkit.kit.assembly import policy_of
from cxkit.settings import Settings

__all__ = ["Before", "Signs", "before", "signs", "why"]


@attrs.frozen(kw_only=True)
class Before:
    """How it was before the process started."""

    account: Account
    spools: frozenset[str]


@attrs.frozen(kw_only=True)
class Signs:
    """What is to be seen of a process from which nothing arrives."""

    settings: Settings
    started: bool
    """Whether cxkit has begun a spool since."""
    captured: int = 0
    dropped: Mapping[str, int] = attrs.field(factory=dict)
    """Reason to how many were given up before the spool."""
    local: ExporterAccount | None = None
    """What became of the rest at the exporter of the local file; None if no process has it."""
    listeners: tuple[Listener, ...] | None = None
    """None where that cannot be known."""
    project: Found = attrs.field(factory=Found)
    """The source in this directory."""

    @property
    def lacking(self) -> App | Django | None:
        """The application in this directory, if there is one only, and it has no middleware."""
        there = self.project.all
        return there[0] if len(there) == 1 and not there[0].has_middleware else None

    @property
    def line(self) -> str:
        """What an application needs, of whatever framework there is here."""
        ways = dict.fromkeys(one.way for one in self.project.all) or (STARLETTE, FLASK, DJANGO)
        return " / ".join(one.line() for one in ways)

    @property
    def called(self) -> Listener | None:
        """A port where somebody called."""
        return next((one for one in self.listeners or () if one.called), None)


def before(settings: Settings) -> Before:
    """To be taken before the process starts."""
    try:
        account = read_account(settings.directory.absolute())
    except OSError:
        account = Account()
    return Before(account=account, spools=_spools(settings))


def signs(settings: Settings, pid: int | None, before: Before, *, exporter: str | None) -> Signs:
    """Look at a process.

    Args:
        pid: None if it has ended.
        exporter: The name of the exporter of the local file.

    Raises:
        OSError: The account cannot be read now.
    """
    account = read_account(settings.directory.absolute())
    ports = None if pid is None else listeners(pid)
    return Signs(
        settings=settings,
        started=bool(_spools(settings) - before.spools) or account.captured > before.account.captured,
        captured=account.spooled - before.account.spooled,
        dropped=dict(Counter(account.dropped) - Counter(before.account.dropped)),
        local=_since(before.account.exporters.get(exporter or ""), account.exporters.get(exporter or "")),
        listeners=None if ports is None else tuple(ports),
        project=find(Path()),
    )


def why(signs: Signs) -> Meaning:
    """The reason, and what to do."""
    if signs.captured:
        return _on_the_way(signs)
    if signs.dropped:
        return _refused(signs)
    if not signs.started:
        return _never_started(signs)
    return _nothing_captured(signs)


def _on_the_way(signs: Signs) -> Meaning:
    captured, local = signs.captured, signs.local
    if local is None:
        return Meaning(
            count(
                "{number} interaction was captured, but that process has no exporter of type local",
                "{number} interactions were captured, but that process has no exporter of type local",
                captured,
            ),
            say("let it read its settings itself: a kit that is made in code has only what the code says"),
        )
    for reason, number in local.dropped.items():
        meaning = meaning_of(reason)
        what = count(
            "{number} interaction was captured and not handed on: {meaning}",
            "{number} interactions were captured and not handed on: {meaning}",
            number,
            meaning=meaning.what,
        )
        return Meaning(what, meaning.fix)
    if local.dead:
        return Meaning(say("the local file refused what was captured"), say("look at it with `cxkit doctor`"))
    return Meaning(
        count(
            "{number} interaction was captured, and is not in the local file yet",
            "{number} interactions were captured, and are not in the local file yet",
            captured,
        ),
        say("wait a moment; if they stay away, `cxkit doctor` says what is wrong with the file"),
    )


def _refused(signs: Signs) -> Meaning:
    reason, number = max(signs.dropped.items(), key=lambda one: one[1])
    meaning = meaning_of(reason)
    what = count(
        "{number} interaction was not kept: {meaning} (policy {policy})",
        "{number} interactions were not kept: {meaning} (policy {policy})",
        number,
        meaning=meaning.what,
        policy=policy_of(signs.settings).name,
    )
    return Meaning(what, meaning.fix)


def _never_started(signs: Signs) -> Meaning:
    lacking, directory = signs.lacking, signs.settings.directory.absolute()
    if lacking is not None:
        return Meaning(
            say("cxkit was not started in it: {app} has no middleware", app=lacking.name),
            say("add {line} to it: `cxkit init` does that, or says where", line=lacking.addition),
        )
    if signs.listeners and signs.called is None:
        return _not_called(signs.listeners)
    if signs.project.in_code is not None:
        return unread(signs.project.in_code)
    if signs.called is not None:
        return Meaning(
            say(
                "somebody has called {where}, but no middleware wrote to {directory}",
                where=signs.called,
                directory=directory,
            ),
            say("add {line} to the application that answers there", line=signs.line),
        )
    return Meaning(
        say(
            "nothing was written to {directory}: no application was imported (yet), or it has no middleware",
            directory=directory,
        ),
        say("see what it prints; then add {line}", line=signs.line),
    )


def _nothing_captured(signs: Signs) -> Meaning:
    if signs.listeners and signs.called is None:
        return _not_called(signs.listeners)
    if signs.settings.consent.before_choice != "anonymise":
        meaning = meaning_of("consent_undecided")
        policy = policy_of(signs.settings).name
        return Meaning(
            say("consent is withheld: {meaning} (policy {policy})", meaning=meaning.what, policy=policy), meaning.fix
        )
    if signs.called is not None:
        return Meaning(
            say("somebody has called {where}, but only paths in web.exclude, or after refusing", where=signs.called),
            say("open {url} in a new private window", url=signs.called.url),
        )
    if signs.listeners is not None:
        return Meaning(
            say("cxkit runs in it, but it listens on no port, and has captured nothing"),
            say("wait until it is up, or capture something in it"),
        )
    return Meaning(
        say("cxkit runs in it, but no request has come to the middleware"), say("open a page of the application")
    )


def _not_called(found: tuple[Listener, ...]) -> Meaning:
    where = ", ".join(map(str, found))
    return Meaning(
        say("it listens on {where}; nothing has called there", where=where), say("open {url}", url=found[0].url)
    )


def _since(held: ExporterAccount | None, now: ExporterAccount | None) -> ExporterAccount | None:
    """What an exporter's account has grown by."""
    if now is None or held is None:
        return now
    dropped = dict(Counter(now.dropped) - Counter(held.dropped))
    return attrs.evolve(now, delivered=now.delivered - held.delivered, dead=now.dead - held.dead, dropped=dropped)


def _spools(settings: Settings) -> frozenset[str]:
    return frozenset(path.name for path in settings.directory.absolute().glob("spool/[!.]*/"))
