"""``cxkit dev -- COMMAND...``: run an application in development mode, and watch what it captures."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import click

from cxkit.cli.checks.code import in_code, unread
from cxkit.cli.checks.directory import unwritable
from cxkit.cli.checks.finding import with_fix
from cxkit.cli.dev.ports import family
from cxkit.cli.dev.silence import Before, before, signs, why
from cxkit.cli.language import count, say
from cxkit.cli.local import local_path, typed
from cxkit.cli.local.seen import Arrivals, Wanted, as_text, passes
from cxkit.cli.terminal import visible
from cxkit.errors import LocalFileError
from cxkit.kit.assembly import policy_of
from cxkit.settings import Settings, load

__all__ = ["dev"]

_VARIABLE: Final = "CXKIT_DEVELOPMENT"
WITHIN_S = 15.0
"""When nothing has arrived for so long, it says why."""
_POLL_S: Final = 0.2
_SIGNALS: Final = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD})
"""The last tells that the command has ended."""
GRACE_S = 10.0
"""How long the command may take to end once it was asked to."""
_NOT_FOUND: Final = 127
_NOT_EXECUTABLE: Final = 126
"""Exit codes as shells have them (POSIX.1-2017, 2.8.2)."""


@click.command(context_settings={"allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def dev(*, command: tuple[str, ...]) -> None:
    """Run an application in development mode, and watch what it captures.

    COMMAND is what starts it, after two dashes: cxkit dev -- uvicorn app:app. It alone is in
    development mode: what is wrong with a capture is raised, and all goes to a file on this
    machine as well. What it prints stays as it is; what cxkit says is on standard error. The exit
    code is that of COMMAND.
    """
    environment = {**os.environ, _VARIABLE: "true"}
    settings = load(environ=environment)
    refused = unwritable(settings.directory.absolute())
    if refused is not None:
        raise SystemExit(visible(with_fix(refused.what, refused.fix)))
    arrivals = Arrivals(local_path(None, settings))
    try:
        arrivals.skip()
    except LocalFileError as error:
        if not passes(error):
            raise
    _introduce(settings, arrivals.path)
    watch = _Watch(settings, arrivals, before(settings))
    with _running(command, environment) as child:
        watch.until_it_ends(child)
    watch.conclude(child)
    raise SystemExit(child.exit_code)


def _introduce(settings: Settings, path: Path) -> None:
    exporters = ", ".join(f"{name} ({table.type})" for name, table in settings.exporters.items())
    near = path.absolute().is_relative_to(Path.cwd())
    _say(say("local file  {path}", path=os.path.relpath(path) if near else path))
    _say(say("exporters   {exporters}", exporters=exporters))
    code = in_code()
    if code is not None:
        _say(say("in code     {what}", what=unread(code).what))
    if settings.consent.before_choice != "anonymise":
        _say(say("policy      {policy}: before a choice nothing is kept", policy=policy_of(settings).name))
    else:
        _say(say("policy      {policy}: before a choice visits name nobody", policy=policy_of(settings).name))


def _say(text: str) -> None:
    click.echo(f"cxkit | {visible(text)}", err=True)


# --- the command ----------------------------------------------------------------------------------


class _Child(subprocess.Popen[bytes]):
    """The command, and by when it has to end if it was asked to."""

    deadline: float | None = None

    @property
    def exit_code(self) -> int:
        """As shells have it: 128 and the signal, if one ended it."""
        return self.returncode if self.returncode >= 0 else 128 - self.returncode


@contextmanager
def _running(command: Sequence[str], environment: dict[str, str]) -> Iterator[_Child]:
    """The command; when all is over it has ended. Meanwhile signals to this process wait for `_asked`."""
    heeded = {one for one in _SIGNALS if signal.getsignal(one) is not signal.SIG_IGN}  # nohup has us ignore one
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, heeded)
    try:
        child = _started(command, environment, mask)
        try:
            yield child
        finally:
            if child.poll() is None:
                child.kill()
            child.wait()
    finally:
        while _asked(0.0) is not None:
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _kill(child: _Child) -> None:
    """The command and all that it has started."""
    for pid in family(child.pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _started(command: Sequence[str], environment: dict[str, str], mask: Collection[int]) -> _Child:
    try:
        # Nothing else runs in this process, so what is done between fork and exec cannot meet a lock.
        return _Child(command, env=environment, preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, mask))
    except FileNotFoundError:
        _say(say("{command}: there is no such command", command=command[0]))
        raise SystemExit(_NOT_FOUND) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        _say(say("{command} cannot be run: {reason}", command=command[0], reason=reason))
        raise SystemExit(_NOT_EXECUTABLE) from None


class _Asked(NamedTuple):
    """A signal that came to this process."""

    number: int
    everybody: bool
    """Whether the command has it already, as of Ctrl-C at a terminal."""


def _asked(timeout_s: float) -> _Asked | None:
    """The next signal, if one comes in that time."""
    if hasattr(signal, "sigtimedwait"):
        came = signal.sigtimedwait(_SIGNALS, timeout_s)
        return came and _Asked(came.si_signo, came.si_code > 0)  # positive: from the kernel, see sigaction(2)
    time.sleep(timeout_s)
    number = next(iter(signal.sigpending() & _SIGNALS), None)
    if number is None:
        return None
    signal.sigwait({number})
    return _Asked(number, number == signal.SIGINT and _at_the_keyboard())


def _at_the_keyboard() -> bool:
    """Whether this process and its children are those that Ctrl-C at a terminal reaches."""
    try:
        with open("/dev/tty", "rb", buffering=0) as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False


# --- what it captures -----------------------------------------------------------------------------


class _Watch:
    """What arrives while a command runs, and what is said when nothing does."""

    def __init__(self, settings: Settings, arrivals: Arrivals, earlier: Before) -> None:
        self._settings = settings
        self._arrivals = arrivals
        self._wanted = Wanted(since=datetime.now(UTC))  # what earlier runs left may be delivered now
        self._earlier = earlier
        self._exporter = next((name for name, one in settings.exporters.items() if one.type == "local"), None)
        self._began = time.monotonic()
        self._explained = False
        self._troubles: set[str] = set()
        self._arrived = 0
        self._person: str | None = None

    def until_it_ends(self, child: _Child) -> None:
        """Show what arrives until the command has ended."""
        while child.poll() is None:
            self._look()
            if not (self._arrived or self._explained) and time.monotonic() >= self._began + WITHIN_S:
                self._explain(child)
            if child.deadline is not None and time.monotonic() >= child.deadline:
                _say(say("the command does not end: it is killed"))
                _kill(child)
            asked = _asked(_POLL_S)
            if asked is not None and asked.number != signal.SIGCHLD:
                child.deadline = child.deadline or time.monotonic() + GRACE_S
                if not asked.everybody:
                    child.send_signal(asked.number)

    def conclude(self, child: _Child) -> None:
        """Show the rest, and say how it ended."""
        self._look()
        asked = child.deadline is not None
        if self._arrived:
            _say(count("{number} interaction in this run", "{number} interactions in this run", self._arrived))
            if self._person is not None:
                _say(say("see one journey:  {command}", command=f"cxkit journey {shlex.quote(typed(self._person))}"))
        elif child.returncode and not asked:
            code = child.exit_code
            _say(say("the command has ended with exit code {code}, and nothing was captured", code=code))
        elif not (self._explained or asked):
            self._explain(child)

    def _look(self) -> None:
        try:
            found = self._arrivals.new(self._wanted)
        except LocalFileError as error:
            if error.code not in self._troubles and not passes(error):
                _say(str(error))
            self._troubles.add(error.code)
            return
        for one in sorted(found, key=lambda one: one.interaction.occurred_at):  # priorities do not arrive in order
            click.echo(as_text(one, today=True), err=True)
            if one.person is not None and (_has_user_id(one.person) or not _has_user_id(self._person)):
                self._person = one.person
        self._arrived += len(found)

    def _explain(self, child: _Child) -> None:
        self._explained = True
        try:
            pid = child.pid if child.returncode is None else None
            found = why(signs(self._settings, pid, self._earlier, exporter=self._exporter))
        except OSError as error:
            _say(say("nothing has arrived, and why cannot be told: {reason}", reason=error.strerror))
            return
        _say(say("nothing has arrived: {what}", what=found.what))
        _say(say("to do: {fix}", fix=found.fix))


def _has_user_id(person: str | None) -> bool:
    """Whether they are called by what the application calls them, which says more than a device."""
    return person is not None and person.startswith("user_id:")
