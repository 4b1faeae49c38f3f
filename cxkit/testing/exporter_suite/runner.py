"""Running checks without a test run: for proofs and grades."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cxkit.testing.exporter_suite.bench import Bench

if TYPE_CHECKING:
    from cxkit.testing.exporter_suite import ExporterSuite

__all__ = ["failures"]


def failures(suite: type[ExporterSuite], check: str, *, directory: Path) -> Iterator[str]:
    """Run one check in all its cases; what is wrong in each that fails. Those that are skipped say nothing.

    Args:
        suite: Made by `exporter_suite`.
        check: Its name.
        directory: Empty; the backends' folders are made in it.

    Example:
        >>> import tempfile
        >>> from cxkit.testing.exporter_mutants import MUTANTS, CounterBackend
        >>> from cxkit.testing.exporter_suite import exporter_suite
        >>> mutant = next(one for one in MUTANTS if one.name == "TriesAgain")
        >>> suite = exporter_suite(mutant.factory, backend=CounterBackend)
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     next(failures(suite, "test_tries_once", directory=Path(directory)))
        'one export made 3 attempts at a backend that fails: try once'
    """
    if check in suite.skips:
        return
    function = getattr(suite, check)
    for number, given in enumerate(_cases(function)):
        home = directory / f"{check}-{number}"
        home.mkdir()
        try:
            with Bench(suite.factory, suite.backend(home)) as bench:
                function(suite(), bench, **given)
        except pytest.skip.Exception:
            continue
        except (AssertionError, pytest.fail.Exception) as error:
            yield str(error)
        except Exception as error:  # noqa: BLE001 - a mutant's own failure is a failure
            yield f"{type(error).__name__}: {error}"


def _cases(function: Any) -> Iterator[Mapping[str, object]]:
    """The arguments of each case: those of ``parametrize``, of which the suite's checks have one at most."""
    marks = getattr(function, "pytestmark", [])
    if any(mark.name == "skipif" and mark.args[0] for mark in marks):
        return
    parametrized = next((mark for mark in marks if mark.name == "parametrize"), None)
    if parametrized is None:
        yield {}
        return
    name, values = parametrized.args
    for value in values:
        yield {name: value}
