"""For your tests and your plugins: a recorder, fakes, and the suites that judge implementations.

``recorder`` what your app captures; ``store_suite`` for stores; ``receiver`` a real HTTP receiver.
Installing cxkit gives pytest the fixture ``cx``.
"""

from __future__ import annotations

from cxkit.testing.recorder import FakeClock, Recorder, RecordingExporter, recorder

__all__ = ["FakeClock", "Recorder", "RecordingExporter", "recorder"]
