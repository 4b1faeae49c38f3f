"""Consent: what the policy withholds as long as a customer has not chosen, from whom, and how much that was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs
import click

from cxkit.cli.checks.finding import Finding
from cxkit.cli.checks.reasons import CONSENT
from cxkit.cli.language import count, say
from cxkit.cli.local import local_path
from cxkit.cli.terminal import print_table
from cxkit.delivery.account import read_account
from cxkit.errors import ConfigurationError, LocalFileError
from cxkit.exporters.local import read
from cxkit.kit.assembly import build_plugins, claim_tables, policy_of
from cxkit.kit.examination import Examined
from cxkit.model import PURPOSES
from cxkit.rules.consent import REGIONAL, Policy, capture_mode

__all__ = ["Withheld", "check_asked", "check_consent", "print_withheld", "withheld"]


@attrs.frozen(kw_only=True)
class Withheld:
    """What consent withholds here, and why."""

    policy: str
    """Its name and version; where the region decides, that of those whose region is not known."""
    before_choice: str
    purposes: Mapping[str, str]
    """Purpose to what becomes of an interaction for it before a choice: ``kept``, ``anonymised`` (kept
    without identifiers), ``withheld`` (likewise, and no exporter gets it), ``held`` (in memory, until there is a choice
    or the visit is over) or ``dropped``."""
    exporters: Mapping[str, frozenset[str]]
    """Exporter to those of its purposes for which it gets nothing before a choice."""
    dropped: Mapping[str, int]
    """Reason to how many were not even kept."""
    not_handed_on: Mapping[str, int]
    """Exporter to how many were kept and not handed on to it."""
    local: tuple[int, int] | None
    """How many of the interactions in the local file have no identifiers, and of how many; None if there is none."""


def withheld(examined: Examined) -> Withheld:
    """What the configuration withholds, and what was withheld so far.

    Raises:
        OSError: The account cannot be read now.
    """
    settings, policy = examined.settings, _policy(examined)
    account = read_account(settings.directory.absolute())
    lawful = policy.granted | policy.anonymous
    return Withheld(
        policy=f"{REGIONAL}, {policy.name}" if settings.consent.policy == REGIONAL else policy.name,
        before_choice=settings.consent.before_choice,
        purposes={purpose: _fate(purpose, policy, examined) for purpose in PURPOSES},
        exporters={name: purposes - lawful for name, purposes in examined.purposes.items() if purposes - lawful},
        local=_in_local_file(examined),
        dropped={reason: number for reason, number in account.dropped.items() if reason in CONSENT},
        not_handed_on={
            name: one.dropped["consent"] for name, one in account.exporters.items() if "consent" in one.dropped
        },
    )


def _in_local_file(examined: Examined) -> tuple[int, int] | None:
    try:
        path = local_path(None, examined.settings)
        if not path.exists():
            return None
        with read(path, patience_s=1.0) as connection:
            (nobodys, number) = connection.execute(
                "SELECT count(*) - count(subject), count(*) FROM interactions"
            ).fetchone()
    except (ConfigurationError, LocalFileError):  # told already
        return None
    return nobodys, number


def _policy(examined: Examined) -> Policy:
    try:
        return policy_of(examined.settings)
    except ConfigurationError:  # told already; what is not known is taken as the strictest
        return policy_of(attrs.evolve(examined.settings, consent=type(examined.settings.consent)()))


def _fate(purpose: str, policy: Policy, examined: Examined) -> str:
    mode = capture_mode(policy.unchosen, purpose, before_choice=examined.settings.consent.before_choice)
    if mode == "anonymous":
        return "anonymised" if purpose in policy.granted | policy.anonymous else "withheld"
    return {"full": "kept", "held": "held"}.get(mode, "dropped")


def check_consent(examined: Examined) -> Iterator[Finding]:
    """Exporters that get nothing of a customer who has not chosen yet."""
    for name, purposes in withheld(examined).exporters.items():
        yield Finding(
            severity="note",
            about="consent",
            what=say(
                "exporter {name} gets nothing of customers who have not allowed {purposes}",
                name=name,
                purposes=", ".join(sorted(purposes)),
            ),
            fix=say("ask for consent, and call cxkit.grant() with the answer"),
        )


def check_asked(examined: Examined) -> Iterator[Finding]:
    """Endpoints of plugins that answer nobody, as the page of choices does not ask for what they need."""
    settings, registry = examined.settings, examined.registry
    if examined.errors or not settings.web.mount:
        return
    channels = build_plugins(registry, registry.channels(), claim_tables(registry, settings))
    endpoints = [(name, endpoint) for name, channel in channels.items() for endpoint in channel.endpoints()]
    for name, endpoint in endpoints:
        if endpoint.needs is not None and endpoint.needs not in settings.web.asked:
            yield Finding(
                severity="warning",
                about="consent",
                what=say(
                    "{path} of plugin {name} needs {purpose}, which the banner and the page of choices do not ask for",
                    path=settings.web.mount + endpoint.path,
                    name=name,
                    purpose=endpoint.needs,
                ),
                fix=say("add {purpose} to web.asked, unless your app asks for it itself", purpose=endpoint.needs),
            )


def print_withheld(told: Withheld) -> None:
    """The policy, purpose by purpose, and the numbers."""
    fates = {
        "kept": say("kept"),
        "anonymised": say("kept without identifiers"),
        "withheld": say("kept without identifiers, and no exporter gets it"),
        "held": say("kept in memory until there is a choice, and no longer than the visit"),
        "dropped": say("not kept"),
    }
    click.echo(
        say(
            'consent: policy {policy}, consent.before_choice is "{before_choice}"',
            policy=told.policy,
            before_choice=told.before_choice,
        )
    )
    print_table([say("purpose"), say("before a choice")], [[name, fates[fate]] for name, fate in told.purposes.items()])
    for number, text in _numbers(told):
        if number:
            click.echo(text)


def _numbers(told: Withheld) -> Iterator[tuple[int, str]]:
    refused, undecided = (told.dropped.get(f"consent_{why}", 0) for why in ("refused", "undecided"))
    yield (
        refused,
        count(
            "{number} interaction was refused by its customer before the spool (consent_refused)",
            "{number} interactions were refused by their customers before the spool (consent_refused)",
            refused,
        ),
    )
    yield (
        undecided,
        count(
            "{number} interaction was not kept, as there was no choice yet (consent_undecided)",
            "{number} interactions were not kept, as there was no choice yet (consent_undecided)",
            undecided,
        ),
    )
    nobodys, number = told.local or (0, 0)
    yield (
        number,
        count(
            "{nobodys} of the {number} interaction in the local file has no identifiers",
            "{nobodys} of the {number} interactions in the local file have no identifiers",
            number,
            nobodys=nobodys,
        ),
    )
    for name, number in told.not_handed_on.items():
        yield (
            number,
            count(
                "{number} interaction was kept and not handed on to {name} (consent)",
                "{number} interactions were kept and not handed on to {name} (consent)",
                number,
                name=name,
            ),
        )
