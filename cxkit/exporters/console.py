"""The console: one line per interaction, for people who develop.

::

    10:30:00.123Z  web  cart.item_added  9f2c41d0  consideration  completed

The columns are time (UTC), channel, name, subject, stage, outcome; ``-`` is none. The subject tells
people apart and not who they are: it is a keyed hash whose key dies with the process.
"""

from __future__ import annotations

import json
import os
import sys
from hashlib import blake2s
from typing import Final, Literal

import attrs

from cxkit.errors import CodecError
from cxkit.model import Identity, Interaction
from cxkit.roles import Batch, Exporter, Factory, Outcome

__all__ = ["FACTORY", "ConsoleExporter", "Settings"]


@attrs.frozen(kw_only=True)
class Settings:
    """Of ``type = "console"``."""

    stream: Literal["stdout", "stderr"] = "stdout"
    """Where to write."""
    format: Literal["line", "json"] = "line"
    """line: the columns above; json: everything, with all identifiers."""


class ConsoleExporter:
    """Writes interactions to the standard output or error, without colour.

    Characters that a terminal might obey, or that hide others, are written as escapes. A stream
    that is closed pauses the exporter; one that nobody reads holds it up beyond its deadline.

    Example:
        >>> ConsoleExporter(Settings()).export(Batch("b1", ()), deadline_s=1.0).verdict
        'delivered'
    """

    purposes: frozenset[str] = frozenset()

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._key = os.urandom(16)

    def export(self, batch: Batch, *, deadline_s: float) -> Outcome:
        """Write the batch at once."""
        try:
            lines = self._lines(batch)
        except CodecError:
            return Outcome.split("unreadable")
        stream = sys.stdout if self._settings.stream == "stdout" else sys.stderr
        try:
            encoding = stream.encoding or "utf-8"
            text = "".join(f"{_visible(line)}\n" for line in lines)
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
            stream.flush()
        except (AttributeError, OSError, ValueError):  # there is none, it broke, it is closed
            return Outcome.pause("stream_closed")
        return Outcome.delivered()

    def preview(self, batch: Batch) -> str:
        """The stream, and the lines it would get."""
        return "\n".join([f">> {self._settings.stream}", *map(_visible, self._lines(batch))])

    def close(self) -> None:
        """Nothing: the streams belong to the process."""

    def _lines(self, batch: Batch) -> list[str]:
        if self._settings.format == "json":
            return [payload.decode("utf-8", "replace") for payload in batch.payloads]
        return [self._line(interaction) for interaction in batch]

    def _line(self, interaction: Interaction) -> str:
        time = interaction.occurred_at.strftime("%H:%M:%S.%f")[:-3] + "Z"
        channel = interaction.channel or interaction.context.channel
        columns = (time, channel, interaction.name, self._subject(interaction.identity))
        return "  ".join(column or "-" for column in (*columns, interaction.stage, interaction.outcome))

    def _subject(self, identity: Identity) -> str | None:
        if not identity:
            return None
        strongest = identity.identifiers[0]
        name = f"{strongest.type}\0{strongest.value}".encode("utf-8", "replace")
        return blake2s(name, key=self._key, digest_size=4).hexdigest()


def _visible(text: str) -> str:
    return text if text.isprintable() else "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in text)


FACTORY: Final[Factory[Exporter]] = Factory(name="console", settings=Settings, build=ConsoleExporter)
