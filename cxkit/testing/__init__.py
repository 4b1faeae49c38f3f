"""For your tests and your plugins: a recorder, fakes, and the suites that judge implementations.

``recorder`` what your app captures; ``visitors`` cookies for a test client; ``receiver`` a real HTTP receiver;
``fault_proxy`` before a real server; ``exporter_suite``, ``store_suite`` and ``web_suite`` judge plugins,
``exporter_mutants`` the first of them, ``web_shop`` is the app of the last; ``oracle`` compares the account with what
arrived; ``ports`` where servers of tests listen; ``samples`` an interaction with all its fields, ``pages`` what a
plugin's pages say.
Installing cxkit gives pytest the fixture ``cx``.
"""

from __future__ import annotations

from cxkit.testing.recorder import FakeClock, Recorder, RecordingExporter, recorder

__all__ = ["FakeClock", "Recorder", "RecordingExporter", "recorder"]
