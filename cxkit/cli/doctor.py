"""``cxkit doctor``: what is wrong here, and the one thing to do about each of it."""

from __future__ import annotations

import platform
import sqlite3
from collections.abc import Callable, Iterable, Iterator

import attrs
import click

from cxkit.cli.checks.code import check_code
from cxkit.cli.checks.configuration import check_configuration, check_exporters, check_plugins
from cxkit.cli.checks.consent import Withheld, check_asked, check_consent, print_withheld, withheld
from cxkit.cli.checks.delivery import check_account, check_dead_letters, check_dropped, check_noted
from cxkit.cli.checks.directory import (
    check_clock,
    check_directory,
    check_disk,
    check_keys,
    check_local_file,
    check_store,
)
from cxkit.cli.checks.experiences import check_experiences
from cxkit.cli.checks.finding import Finding, fails, print_findings
from cxkit.cli.checks.waiting import check_backlog
from cxkit.cli.language import say
from cxkit.cli.terminal import json_option, print_json
from cxkit.kit.examination import Examined, examined

__all__ = ["doctor"]

_CHECKS: tuple[Callable[[Examined], Iterable[Finding]], ...] = (
    check_configuration,
    check_experiences,
    check_code,
    check_plugins,
    check_exporters,
    check_keys,
    check_directory,
    check_disk,
    check_store,
    check_local_file,
    check_account,
    check_backlog,
    check_dead_letters,
    check_dropped,
    check_noted,
    check_consent,
    check_asked,
    check_clock,
)


@click.command()
@json_option
def doctor(*, as_json: bool) -> None:
    """What is wrong here, and what to do about it; what consent withholds, and why.

    An error is what does not work, a warning what will not, a note what is so on purpose. Exits with
    1 if there is an error; warnings and notes alone are fine. Nothing is changed, and nothing is told
    of a person.
    """
    found = examined()
    findings = [finding for check in _CHECKS for finding in _guarded(check, found)]
    told = _withheld(found)
    if as_json:
        body = {"versions": _versions(found), "directory": str(found.settings.directory.absolute())}
        print_json({**body, "findings": [attrs.asdict(one) for one in findings], "consent": told and _plain(told)})
    else:
        click.echo(", ".join(f"{name} {version}" for name, version in _versions(found).items()))
        click.echo(say("directory: {directory}", directory=found.settings.directory.absolute()))
        if told is not None:
            click.echo()
            print_withheld(told)
        click.echo()
        print_findings(findings)
    if fails(findings):
        raise SystemExit(1)


def _guarded(check: Callable[[Examined], Iterable[Finding]], found: Examined) -> Iterator[Finding]:
    """What a check finds; one that cannot be made is a finding itself."""
    try:
        yield from check(found)
    except Exception as error:  # noqa: BLE001 - what is broken here is why somebody called the doctor
        yield Finding(
            severity="error",
            about="doctor",
            what=say("{check} could not be made ({reason})", check=check.__name__, reason=type(error).__name__),
            fix=say("check the rights of this user to the directory"),
        )


def _withheld(found: Examined) -> Withheld | None:
    try:
        return withheld(found)
    except OSError:  # the checks of the account have told why
        return None


def _plain(told: Withheld) -> dict[str, object]:
    return {**attrs.asdict(told), "exporters": {name: sorted(purposes) for name, purposes in told.exporters.items()}}


def _versions(found: Examined) -> dict[str, str]:
    registry = found.registry
    distributions = [one for plugin in registry.plugins if (one := registry.distribution_of(plugin))]
    plugins = dict(one.split(" ", 1) for one in distributions)
    return {
        **plugins,
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        platform.system(): platform.release(),
    }
