"""Jinja in a sandbox: it fills templates, and of one that is wrong says where, never what it was filled with."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cxkit.errors import DeclarationError, MissingDependencyError
from cxkit_email.mjml import html_of

if TYPE_CHECKING:
    from jinja2 import BaseLoader

__all__ = ["Sandbox"]

_MISSING: Final = re.compile(r"'([A-Za-z_][A-Za-z0-9_]{0,63})' is undefined")


class Sandbox:
    """Fills the templates of a directory or of a loader.

    Raises:
        MissingDependencyError: ``cxkit-email[templates]`` is not installed.
        DeclarationError: There is no such directory.
    """

    def __init__(self, source: str | os.PathLike[str] | BaseLoader) -> None:
        try:
            import css_inline
            import jinja2
            import mrml  # noqa: F401 - better missed now than with the first letter
            from jinja2.sandbox import ImmutableSandboxedEnvironment
        except ImportError as error:
            raise MissingDependencyError(
                "letters from templates need packages that are not installed",
                fix='install "cxkit-email[templates]"',
                code="CX9251",
            ) from error
        if isinstance(source, jinja2.BaseLoader):
            self._loader = source
        elif Path(source).is_dir():
            self._loader = jinja2.FileSystemLoader(source)
        else:
            fix = "name one that is there; a relative one is looked for where the process was started"
            raise DeclarationError("the directory of letters is none", fix=fix, code="CX9252")
        self._environment = ImmutableSandboxedEnvironment(
            loader=jinja2.FunctionLoader(self._read), autoescape=_is_markup, undefined=jinja2.StrictUndefined
        )
        self._inliner = css_inline.CSSInliner(load_remote_stylesheets=False, keep_at_rules=True)
        self._names: dict[str, str] = {}
        """Of templates, by their files."""

    @property
    def files(self) -> Sequence[str]:
        """All there are."""
        return self._loader.list_templates()

    def fill(self, file: str, variables: Mapping[str, object]) -> str:
        """What it says, with these.

        Raises:
            DeclarationError: It is no template, or no MJML; or it asks for what is not given, or not allowed.
        """
        import jinja2

        try:
            text = self._environment.get_template(file).render(variables)
        except jinja2.TemplateError as error:
            raise self._wrong(error, file) from None
        return text.encode("utf-8", "replace").decode()  # half of a character is none

    def inlined(self, html: str) -> str:
        """With the styles of ``<style>`` written into the elements; media queries stay where they are."""
        return self._inliner.inline(html)

    def _read(self, name: str) -> tuple[str, str, Callable[[], bool] | None]:
        source, file, fresh = self._loader.get_source(self._environment, name)
        file = file or name
        self._names[file] = name
        if name.endswith(".mjml"):
            self._environment.parse(source, name)  # its lines are those of the file only now
            source = html_of(source, name)
        return source, file, fresh

    def _wrong(self, error: Exception, file: str) -> DeclarationError:
        """What a template did: of what it was given, which may be personal, nothing is told."""
        import jinja2
        from jinja2.exceptions import SecurityError

        where, fix, code = self._where(error, file), "mend it", "CX9253"
        if isinstance(error, jinja2.TemplateSyntaxError):
            what = f"is no template: {(error.message or '')[:200]}"
        elif isinstance(error, SecurityError):
            what, fix, code = "reaches for what no template may", "give it what it needs as a variable", "CX9255"
        elif isinstance(error, jinja2.UndefinedError):
            name = _MISSING.fullmatch(error.message or "")
            what = f'asks for "{name[1]}", which is not given' if name else "asks for what is not there"
            fix, code = "give it, or have the template see whether it is defined", "CX9254"
        elif isinstance(error, jinja2.TemplateNotFound):
            what, fix = "includes or extends a file that is not there", "name one of the same directory"
        else:
            what = "cannot be filled"
        return DeclarationError(f"{where} {what}", fix=fix, code=code)

    def _where(self, error: Exception, file: str) -> str:
        """The file and, unless what was filled is the HTML that was made of it, the line."""
        import jinja2

        line: int | None = None
        if isinstance(error, jinja2.TemplateSyntaxError):
            file, line = error.name or file, error.lineno
        else:
            passed = [one for one in traceback.extract_tb(error.__traceback__) if one.filename in self._names]
            if passed:
                file, line = self._names[passed[-1].filename], passed[-1].lineno
            line = None if file.endswith(".mjml") else line
        return file if line is None else f"{file}, line {line},"


def _is_markup(name: str | None) -> bool:
    return name is None or not name.endswith(".txt")
