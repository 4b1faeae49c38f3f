"""What CI does with a test that fails: it runs it once more, says so by name, and fails if those become many.

Servers, processes and clocks of a busy machine are part of these tests, and a run has tens of thousands of cases: one
that fails now and then would say nothing of the change it was run for. What is wrong fails twice. A test that is named
here is still a defect, to be mended; on a developer's machine it fails at once.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

_MOST = 3


def pytest_configure(config: pytest.Config) -> None:
    """Run each that fails once more, in CI."""
    if os.environ.get("CI") and config.pluginmanager.hasplugin("rerunfailures"):
        config.option.reruns = 1
        config.option.reportchars += "R"


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell what was run again, and why; many of those are a failure."""
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    again = [] if reporter is None else reporter.stats.get("rerun", [])
    for one in again:
        reporter.section(f"failed, and was run again: {one.nodeid}")
        reporter.write_line(one.longreprtext)
    if len(again) > _MOST:
        reporter.write_line(f"{len(again)} tests were run again, more than {_MOST}: that is no accident", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
