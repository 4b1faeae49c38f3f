"""``cxkit init``: the line that an application lacks, shown as a diff and written when that is wanted."""

from __future__ import annotations

import difflib
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import attrs
import click

from cxkit.cli.asking import may
from cxkit.cli.init.apps import FLASK, App, Django, Found, apps_of, find, reason_of
from cxkit.cli.init.instrument import instrumented
from cxkit.cli.init.syntax import UNREADABLE, read
from cxkit.cli.language import say
from cxkit.cli.terminal import visible
from cxkit.settings import load

__all__ = ["init"]

_FILE: Final = Path("cxkit.toml")
_IGNORED: Final = Path(".gitignore")
_IGNORE: Final = b".cxkit/"


@attrs.frozen(kw_only=True)
class _Change:
    """A file as it is (None: there is none) and as it is to be."""

    path: Path
    before: bytes | None
    after: bytes
    encoding: str = "utf-8"

    def diff(self) -> Iterable[str]:
        old, new = ((one or b"").decode(self.encoding).splitlines(keepends=True) for one in (self.before, self.after))
        source = "/dev/null" if self.before is None else f"a/{self.path}"
        for line in difflib.unified_diff(old, new, source, f"b/{self.path}"):
            yield visible(line.replace("\t", "    ").rstrip())


@click.command()
@click.option("--app", "wanted", metavar="FILE:NAME", help="Which application, where there are several.")
@click.option("--yes", is_flag=True, help="Write without asking.")
def init(*, wanted: str | None, yes: bool) -> None:
    """Add the middleware to the application in this directory.

    Shows every change as a diff, and asks before it writes. For Starlette, FastAPI and Flask; of Django's settings it
    says which line goes where.
    """
    app = _named(wanted) if wanted else _chosen(find(Path()))
    if app.has_middleware:
        click.echo(say("{app} has the middleware already: nothing to do", app=visible(app.name)))
        return
    changes = [*([_instrumented(app)] if isinstance(app, App) else []), *_beside()]
    for change in changes:
        for line in change.diff():
            click.echo(line)
    if isinstance(app, Django):  # settings are computed in too many ways to be changed safely
        click.echo(say("add to {file}, as the first of MIDDLEWARE:", file=visible(app.settings)) + f"  {app.addition}")
        click.echo(say("and to INSTALLED_APPS:") + f'  "{app.way.plugin}",')
    if find_spec(app.way.plugin) is None:
        click.echo(say("the plugin is not installed here; in the application's environment run:"))
        click.echo(f"  python -m pip install {app.way.plugin.replace('_', '-')}")
    if changes and not may(say("write this? [y/N]"), yes=yes):
        raise SystemExit(1)
    _write(changes)
    if changes:
        click.echo(say("written: {files}", files=", ".join(visible(str(one.path)) for one in changes)))
    click.echo(say("see your visits with:  {command}", command=visible(f"cxkit dev -- {_server(app)}")))


# --- which application ----------------------------------------------------------------------------


def _named(wanted: str) -> App:
    """The application that ``--app FILE:NAME`` names."""
    file, _, name = wanted.rpartition(":")
    path = Path(file or wanted)
    try:
        source = read(path, root=Path())
    except UNREADABLE as error:
        raise _wrong(say("{file} cannot be read: {reason}", file=visible(str(path)), reason=reason_of(error))) from None
    apps = list(apps_of(source)) if source else []
    named = [one for one in apps if not file or name in (one.variable, one.function)]
    if len(named) == 1:
        return named[0]
    known = ", ".join(one.name for one in apps) or "-"
    if named:
        raise _wrong(say("several applications have this name; in this file: {known}", known=visible(known)))
    raise _wrong(say("there is no such application; in this file: {known}", known=visible(known)))


def _wrong(message: str) -> click.BadParameter:
    return click.BadParameter(message, param_hint="'--app'")


def _chosen(found: Found) -> App | Django:
    """The only application there is, or the one that is picked."""
    for path, reason in found.skipped:
        click.echo(say("skipped {file}: {reason}", file=visible(str(path)), reason=visible(reason)), err=True)
    if not found.complete:
        click.echo(say("this directory has too many files; name yours with --app FILE:NAME"), err=True)
    apps = found.apps
    ready = [one for one in apps if one.has_middleware]
    if len(apps) == 1 or ready:
        others = ", ".join(one.name for one in apps if not one.has_middleware)
        if ready and others:
            click.echo(say("without the middleware: {others}; name one with --app FILE:NAME", others=others))
        return (ready or apps)[0]
    if not apps and found.django is not None:
        return found.django
    if not apps:
        click.echo(say("no application was found below this directory; make one first, or go to where it is"), err=True)
        raise SystemExit(1)
    for number, one in enumerate(apps, start=1):
        click.echo(f"{number:>3}  {visible(one.name)}  {one.framework}")
    if not sys.stdin.isatty():
        click.echo(say("there are several applications: name one with --app FILE:NAME"), err=True)
        raise SystemExit(1)
    number = click.prompt(say("which one?"), type=click.IntRange(1, len(apps)))
    return apps[number - 1]


# --- what to change -------------------------------------------------------------------------------


def _instrumented(app: App) -> _Change:
    source, changed = app.source, instrumented(app)
    if changed is None:
        click.echo(
            say(
                "{app} is made in a way that cannot be changed safely; add {line} below it by hand",
                app=visible(app.name),
                line=app.addition,
            ),
            err=True,
        )
        raise SystemExit(1)
    return _Change(path=source.path, before=source.raw, after=changed, encoding=source.encoding)


def _beside() -> Iterator[_Change]:
    """The files beside the application, as far as they are missing."""
    if not _is_configured():
        service = re.sub(r"[^A-Za-z0-9._~-]+", "-", Path.cwd().name).strip("-")[:100] or "app"
        text = f'# All settings have defaults. This one names the service in what it captures.\nservice = "{service}"\n'
        yield _Change(path=_FILE, before=None, after=text.encode())
    ignored = _IGNORED.read_bytes() if _IGNORED.exists() else None
    if _IGNORE.strip(b"/") not in {one.strip(b" \t/") for one in (ignored or b"").splitlines()}:
        yield _Change(path=_IGNORED, before=ignored, after=_with_line(ignored or b""), encoding="latin-1")


def _is_configured() -> bool:
    return _FILE.exists() or any(origin.startswith("file ") for origin in load().origins.values())


def _with_line(before: bytes) -> bytes:
    end = b"\r\n" if b"\r\n" in before else b"\n"
    gap = end if before and not before.endswith(b"\n") else b""
    return before + gap + _IGNORE + end


# --- writing --------------------------------------------------------------------------------------


def _write(changes: Sequence[_Change]) -> None:
    """Write all of the files, or none if there is one for which nothing can be written beside it."""
    with ExitStack() as drafts:
        ready = [(change, *_drafted(change, drafts)) for change in changes]
        for change, draft, path in ready:
            with _written(change):
                draft.replace(path)


def _drafted(change: _Change, drafts: ExitStack) -> tuple[Path, Path]:
    """A draft, and the file whose place it is to take."""
    with _written(change):
        path = Path(os.path.realpath(change.path))  # a link stays one
        if (path.read_bytes() if path.exists() else None) != change.before:
            raise OSError(say("it has changed meanwhile"))
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        drafts.callback(draft.unlink, missing_ok=True)
        draft.write_bytes(change.after)
        if change.before is not None:
            shutil.copymode(path, draft)
    return draft, path


@contextmanager
def _written(change: _Change) -> Iterator[None]:
    """End the command with one line where a file cannot be written."""
    try:
        yield
    except OSError as error:
        file, reason = visible(str(change.path)), visible(reason_of(error))
        click.echo(say("{file} cannot be written: {reason}", file=file, reason=reason), err=True)
        raise SystemExit(1) from None


def _server(app: App | Django) -> str:
    """How to start the application."""
    if isinstance(app, Django):
        return f"python {app.manage} runserver"
    parts = app.source.path.with_suffix("").parts
    module = ".".join(parts[:-1] if parts[-1] == "__init__" and parts[1:] else parts)
    name = f"{module}:{app.function or app.variable}"
    if app.way is FLASK:
        return f"flask --app {name} run"
    return f"uvicorn {name}" + (" --factory" if app.function else "")
