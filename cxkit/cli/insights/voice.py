"""``cxkit insights voice``: what customers answered, and how sure the numbers are."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import attrs
import click

from cxkit.cli.insights import drawing
from cxkit.cli.insights.answer import Answer, Table, give
from cxkit.cli.insights.asking import Asked, asking
from cxkit.cli.language import count, say
from cxkit.model import SCALES
from cxkit.rules.measure import feedback as _feedback

__all__ = ["voice"]

_COLUMNS = ("scale", "label", "answers", "value", "low", "high", "variance")


@click.command()
@click.option(
    "--by", type=click.Choice(_feedback.DIMENSIONS), default="touchpoint", show_default=True, help="What to compare."
)
@asking
def voice(asked: Asked, *, by: _feedback.Dimension) -> None:
    """What customers answered: each number with its interval."""
    found, left = asked.rows(_feedback.SQL, by=by)
    told = _feedback.voices(_feedback.Row(*row) for row in found)
    answer = Answer(
        metric=_feedback.NAME,
        asked=asked.told(by=by),
        tables=[_table(told, by)],
        notes=asked.left_out(left, found=bool(told), of="answers"),
        definition=say(_feedback.DEFINITION),
        left_out=attrs.asdict(left),
        picture=partial(_picture, told),
    )
    give(answer, form=asked.form, output=asked.output)


def _table(told: Sequence[_feedback.Voice], by: _feedback.Dimension) -> Table:
    words = {
        "touchpoint": say("touchpoint"),
        "device": say("device"),
        "channel": say("channel"),
        "country": say("country"),
        "language": say("language"),
    }
    return Table(
        key="rows",
        columns=_COLUMNS,
        rows=[tuple(getattr(one, name) if name != "label" else one.label or None for name in _COLUMNS) for one in told],
        heads=[say("scale"), words[by], say("value"), say("95 % interval"), say("answers")],
        cells=[(one.scale, one.label or None, _value(one), _interval(one), one.answers) for one in told],
    )


def _value(one: _feedback.Voice) -> str:
    return _number(one.scale, one.value).rjust(8)


def _interval(one: _feedback.Voice) -> str:
    if one.low is None or one.high is None:
        return say("not enough")
    return say("{low} to {high}", low=_number(one.scale, one.low), high=_number(one.scale, one.high))


def _number(scale: str, value: float) -> str:
    if scale == "csat":
        return f"{100 * value:.1f} %"
    return f"{value:+.1f}" if scale == "nps" else f"{value:+.2f}" if scale == "expectation" else f"{value:.2f}"


def _picture(told: Sequence[_feedback.Voice], twin: str, notes: Sequence[str]) -> str:
    shown = [
        drawing.Span(
            f"{one.scale} {one.label}".strip(),
            _along(one.scale, one.low),
            _along(one.scale, one.value),
            _along(one.scale, one.high),
            f"{_value(one).strip()} ({_interval(one)}), " + count("{number} answer", "{number} answers", one.answers),
        )
        for one in told
    ]
    words = drawing.Words(name=_feedback.NAME, title=say("What customers say"), notes=notes, twin=twin)
    return drawing.spans(words, shown, ((0.0, say("worst")), (1.0, say("best"))), at=None)


def _along(scale: str, value: float | None) -> float | None:
    """Where it stands between the worst and the best that there can be."""
    if value is None:
        return None
    low, high = {"nps": (-100, 100), "csat": (0, 1)}.get(scale, SCALES[scale])
    return min(1.0, max(0.0, (value - low) / (high - low)))
