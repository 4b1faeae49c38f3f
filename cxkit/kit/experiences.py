"""The experiences of a kit: those configured, which replace those that the code declares.

Those in a file of their own (``experiences_file``) may change while the process runs: a thread of its own looks at it
once a second, so that no decision waits for it or comes before it, and what cannot be read changes nothing.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from cxkit.errors import ConfigurationError, CXError, DeclarationError
from cxkit.model import ExperienceSpec
from cxkit.rules.experience import Chooser, check_together
from cxkit.settings import RawTable, Settings, load, structure

__all__ = ["Experiences", "declared"]

declared: Final[dict[str, Chooser]] = {}
"""Those that this process declares in code, by name; of one that was declared again the last."""

_LOOK_AGAIN_S: Final = 1.0
_State = tuple[int, int, int]


class _Fault(Protocol):
    def __call__(self, name: str, what: str, error: Exception, *, told: str) -> None: ...


class Experiences:
    """By name.

    Args:
        fault: Counts that the file was not read when it had changed, or that what the code declares cannot stand beside
            what is configured; and says once of each mistake what it is.

    Raises:
        ConfigurationError: One is malformed.
        DeclarationError: In strict mode, one in code cannot stand beside those.
    """

    def __init__(self, settings: Settings, *, fault: _Fault) -> None:
        self._settings, self._fault = settings, fault
        self._path = settings.experiences_file
        self._seen = self._state()
        self._configured = configured(settings, clash=None if settings.strict else self._clash)
        self._watched_in: dict[int, threading.Event] = {}
        """Processes to what ends their thread that looks at the file: one that was forked has none yet."""

    def get(self, name: str) -> Chooser | None:
        """The one of that name, configured or declared."""
        if self._path is not None and os.getpid() not in self._watched_in:
            self._begin()
        return self._configured.get(name) or declared.get(name)

    def all(self) -> dict[str, Chooser]:
        """Every one."""
        return {**declared, **self._configured}

    def close(self) -> None:
        """Look at the file no more."""
        self._watched_in.setdefault(os.getpid(), threading.Event()).set()

    def _clash(self, error: DeclarationError) -> None:
        what = "what the code declares cannot stand beside the experiences that are configured; both go on"
        self._fault("experiences_clash", what, error, told=str(error))

    def _begin(self) -> None:
        """Once in each process, when it first decides: look here, at what changed since the start, and then watch."""
        ended = threading.Event()
        if self._watched_in.setdefault(os.getpid(), ended) is not ended:
            return
        self._look()
        threading.Thread(target=_watch, args=(weakref.ref(self), ended), name="cxkit-experiences", daemon=True).start()

    def _look(self) -> None:
        state = self._state()
        if state == self._seen:
            return
        self._seen = state
        try:
            self._configured = configured(self._settings)
        except Exception as error:  # noqa: BLE001 - what held before goes on to hold
            what = "the file of experiences was not read, and what it said before holds"
            told = str(error) if isinstance(error, CXError) else ""  # holds no personal data
            self._fault("experiences_refused", what, error, told=told)

    def _state(self) -> _State | None:
        try:
            stat = os.stat(self._path) if self._path is not None else None
        except OSError:
            return None
        return None if stat is None else (stat.st_mtime_ns, stat.st_size, stat.st_ino)


def _watch(held: weakref.ref[Experiences], ended: threading.Event) -> None:
    while not ended.wait(_LOOK_AGAIN_S):
        experiences = held()
        if experiences is None:
            return
        experiences._look()
        del experiences


def configured(settings: Settings, *, clash: Callable[[DeclarationError], None] | None = None) -> dict[str, Chooser]:
    """Those in the configuration, and in its file of experiences.

    Args:
        clash: Is told that some in code cannot stand beside these, instead of raising that.

    Raises:
        ConfigurationError: One is malformed, or in both.
        DeclarationError: They cannot stand beside each other, or beside those in code.
    """
    specs = specs_of(settings)
    if settings.experiences_file is not None:
        more = specs_of(_file(settings.experiences_file))
        for name in sorted(specs.keys() & more.keys()):
            fix = f"leave it out of {settings.experiences_file}, or of the configuration"
            raise ConfigurationError(f'experience "{name}" is configured twice', fix=fix, code="CX1034")
        specs |= more
    check_together(specs.values(), complete=False)
    try:
        check_together({**{name: one.spec for name, one in declared.items()}, **specs}.values(), complete=False)
    except DeclarationError as error:
        if clash is None:
            raise
        clash(error)
    return {name: Chooser(spec) for name, spec in specs.items()}


def chooser_of(settings: Settings, name: str) -> Chooser:
    """One of the tables of the configuration.

    Raises:
        ConfigurationError: It is malformed.
    """
    return Chooser(spec_of(settings, name))


def specs_of(settings: Settings) -> dict[str, ExperienceSpec]:
    """Those in the tables of the configuration.

    Raises:
        ConfigurationError: One is malformed.
    """
    return {name: spec_of(settings, name) for name in settings.experiences}


def spec_of(settings: Settings, name: str) -> ExperienceSpec:
    """One of the configuration.

    Raises:
        ConfigurationError: It is malformed.
    """
    table = settings.experiences[name]
    named = RawTable({**table, "name": name}, origins=table.origins)
    return structure(ExperienceSpec, named, where=f"experiences.{name}")


def _file(path: Path) -> Settings:
    """A file that configures experiences, and nothing else."""
    settings = load(file=path, environ={})
    for setting in settings.origins:
        if not setting.startswith("experiences."):
            fix = f"put it into the configuration: in {path} there are experiences only"
            error = ConfigurationError(f'"{setting}" is no experience', fix=fix, code="CX1034")
            error.setting = setting
            raise error
    return settings
