"""What the demo shows while it runs: interactions as they arrive, one line each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import blake2s
from pathlib import Path

import cxkit
from cxkit.codec import decode
from cxkit.model import Context


class Arrivals:
    """Interactions as they come in at a file.

    Who is told by a keyed hash: it tells customers apart, and not who they are.
    """

    COLUMNS = (
        f"{'time (UTC)':<14}{'channel':<9}{'touchpoint':<25}{'who':<17}{'stage':<15}{'where, on':<12}{'outcome':<32}"
        "refuses"
    )

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read = file.stat().st_size if file.exists() else 0
        self._key = os.urandom(16)

    def lines(self) -> Iterator[str]:
        """One for each interaction that has come in since."""
        if not self._file.exists():
            return
        with self._file.open("rb") as stream:
            stream.seek(self._read)
            whole, _, _ = stream.read().rpartition(b"\n")
        self._read += len(whole) + 1 if whole else 0
        for payload in whole.splitlines():
            yield self._line(decode(payload))

    def _line(self, one: cxkit.Interaction) -> str:
        when = one.occurred_at.strftime("%H:%M:%S.%f")[:-3]
        shown = f"{one.decision.experience}: {one.decision.variant}" if one.decision else None
        scored = f"{one.feedback.scale}: {one.feedback.score}" if one.feedback else None
        came = one.context.acquisition
        brought = f"by {came.medium}: {came.source}" if came and came.source else None
        ended = shown or scored or brought or self._by(one) or one.outcome or "-"
        refused = ", ".join(purpose for purpose, allowed in one.consent.items() if not allowed)
        columns = f"{when:<14}{one.channel or '-':<9}{one.name:<25}{self._who(one):<17}{one.stage or '-':<15}"
        return f"{columns}{self._where(one.context):<12}{ended:<32}{refused or '-'}"

    def _by(self, one: cxkit.Interaction) -> str | None:
        """Who opened a letter, or followed a link of it, as far as can be said; and the reason."""
        if "by" not in one.properties:
            return None
        reasons = one.properties.get("reasons")
        first = reasons[0] if isinstance(reasons, list | tuple) and reasons else "-"
        return f"{one.properties['by']}: {first}"

    def _where(self, context: Context) -> str:
        country = context.place.country if context.place else None
        device = context.device.type if context.device else None
        return " ".join(filter(None, [country, device])) or "-"

    def _who(self, one: cxkit.Interaction) -> str:
        if not one.identity:
            return "-"
        strongest = one.identity.identifiers[0]
        name = f"{strongest.type}\0{strongest.value}".encode()
        return f"{strongest.type} {blake2s(name, key=self._key, digest_size=3).hexdigest()}"
