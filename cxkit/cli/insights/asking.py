"""What every question has in common: the file, the days, the form of the answer, and what it leaves out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import attrs
import click

from cxkit.cli.insights.answer import FORMATS, Format
from cxkit.cli.language import count, say
from cxkit.cli.local import file_option, open_local
from cxkit.cli.terminal import json_option
from cxkit.rules.measure.events import EVER
from cxkit.rules.measure.left_out import SQL as LEFT_OUT
from cxkit.rules.measure.left_out import LeftOut

__all__ = ["Asked", "asking", "lasting"]

Of = Literal["sessions", "people", "answers", "runs"]
"""What a question counts."""


@attrs.frozen(kw_only=True)
class Asked:
    """A question as it was typed."""

    file: Path | None
    days: tuple[int, int]
    form: Format
    output: Path | None

    def rows(self, sql: str, **parameters: object) -> tuple[list[Sequence[Any]], LeftOut]:
        """The rows of a metric, and what they leave out at the same moment."""
        values = {"since_day": self.days[0], "until_day": self.days[1]}
        with open_local(self.file) as connection:
            connection.execute("BEGIN")
            left = connection.execute(LEFT_OUT, values).fetchone()
            return connection.execute(sql, values | parameters).fetchall(), LeftOut(*left)

    def told(self, **more: object) -> dict[str, object]:
        """The question, for JSON."""
        since, until = (None if day in EVER else day for day in self.days)
        return {**more, "since_day": since, "until_day": until}

    def left_out(self, left: LeftOut, *, found: bool, of: Of = "sessions") -> list[str]:
        """What is not in the answer, in words; and what is missing where there is none."""
        if not left.total and self.days != EVER:
            return [say("There is no contact in these days.")]
        if not left.total:
            return [say("There is no contact yet: run your app with `cxkit dev -- COMMAND`.")]
        numbers = {say("by bots"): left.bots, say("by persons who refuse analytics"): left.refused}
        if of == "answers":
            missing = say("Nobody answered yet: let an experience ask, and keep what they say by `cxkit.answer`.")
        elif of == "sessions":
            missing = say(
                "No session to look at: a contact has one once the person allows analytics, or is recognised."
            )
            numbers[say("without a session")] = left.sessionless
        elif of == "runs":
            missing = say("Nobody began: that takes people who are recognised, and contacts at one of its steps.")
            numbers[say("of nobody known")] = left.nobodies
        else:
            missing = say("Nobody moved: that takes people who are recognised, at touchpoints declared with a stage.")
            numbers |= {say("of nobody known"): left.nobodies, say("without a stage"): left.stageless}
        parts = ", ".join(f"{number} {what}" for what, number in numbers.items() if number) or say("none")
        told = count(
            "Left out of {number} contact: {parts}.", "Left out of {number} contacts: {parts}.", left.total, parts=parts
        )
        return [told] if found else [missing, told]


def asking(verb: Callable[..., None]) -> Callable[..., None]:
    """The verb with the options of all questions; it gets them as `Asked`, and its own beside."""
    day = click.DateTime(["%Y-%m-%d"])
    options = [
        file_option,
        click.option("--since", type=day, metavar="DATE", help="From this day on: 2026-11-21."),
        click.option("--until", type=day, metavar="DATE", help="Up to this day, included."),
        click.option(
            "--format",
            "form",
            type=click.Choice(FORMATS),
            default="table",
            show_default=True,
            help="The form of the answer.",
        ),
        json_option,
        click.option(
            "--output",
            "-o",
            type=click.Path(path_type=Path, dir_okay=False),
            help="Write it to this file.",
        ),
    ]

    def asked(
        *,
        file: Path | None,
        since: datetime | None,
        until: datetime | None,
        form: Format,
        as_json: bool,
        output: Path | None,
        **own: object,
    ) -> None:
        days = _day(since, EVER[0]), _day(until, EVER[1])
        if days[0] > days[1]:
            raise click.UsageError(say("--since is after --until"))
        verb(Asked(file=file, days=days, form="json" if as_json else form, output=output), **own)

    asked.__doc__, asked.__name__ = verb.__doc__, verb.__name__
    command: Callable[..., None] = asked
    for option in reversed(options):
        command = option(command)
    return command


def _day(date: datetime | None, default: int) -> int:
    return default if date is None else date.year * 10_000 + date.month * 100 + date.day


def lasting(ms: int) -> str:
    """A time in its two largest units, the rest cut off."""
    seconds = ms // 1000
    if seconds >= 86_400:
        return say("{days} d {hours} h", days=seconds // 86_400, hours=seconds % 86_400 // 3600)
    if seconds >= 3600:
        return say("{hours} h {minutes} min", hours=seconds // 3600, minutes=seconds % 3600 // 60)
    if seconds >= 60:
        return say("{minutes} min {seconds} s", minutes=seconds // 60, seconds=seconds % 60)
    return say("{seconds} s", seconds=seconds) if seconds else say("{milliseconds} ms", milliseconds=ms)
