"""A readout as one page that needs nothing else: what must be known first, a picture, and the same as tables."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Final

from cxkit.cli.experiments.wording import alarms, reasons, sentences, spans, status, tables
from cxkit.cli.insights import drawing
from cxkit.cli.insights.answer import Table
from cxkit.cli.language import say
from cxkit.cli.terminal import visible
from cxkit.rules.measure import experiments as _experiments
from cxkit.rules.measure.readout import Readout

__all__ = ["page"]

# Contrasts are 7 : 1 and more (WCAG 2.2, 1.4.6); nothing is told by colour alone; wide tables scroll by themselves.
_STYLE: Final = """
body { margin: 0 auto; max-width: 72rem; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif; color: #1a1a1a;
  background: #fff }
.wide { overflow-x: auto }
.wide:focus { outline: 3px solid #0072b2 }
table { border-collapse: collapse; margin: 1rem 0 }
caption { text-align: left; font-weight: bold; padding: .25rem 0 }
th, td { padding: .25rem .75rem; border-bottom: 1px solid #767676; text-align: left; white-space: nowrap }
th.number, td.number { text-align: right; font-variant-numeric: tabular-nums }
.first { border: 2px solid #1a1a1a; padding: .5rem 1rem }
"""
_NUMBER: Final = ' class="number"'


def page(readout: Readout, about: str) -> str:
    """The page, in the operator's language.

    Args:
        about: Which it is, in words.
    """
    title = say("Readout of {experiment}", experiment=readout.experiment)
    found = tables(readout)
    first = "".join(
        f"<p>{_safe(head)}</p><ul>{''.join(f'<li>{_safe(one)}</li>' for one in lines)}</ul>"
        for head, lines in ((say("Why:"), reasons(readout)), (say("To be known:"), alarms(readout)))
        if lines
    )
    told = "".join(f"<p>{_safe(one)}</p>" for one in sentences(readout))
    return "\n".join(
        [
            "<!doctype html>",
            f'<html lang="{_safe(say("en"))}">',
            '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
            f"<title>{_safe(title)}</title><style>{_STYLE}</style></head>",
            f"<body><main><h1>{_safe(title)}</h1><p>{_safe(about)}</p>",
            f'<section class="first"><h2>{_safe(status(readout).capitalize())}</h2>{first}</section>',
            told,
            f'<div class="wide" role="region" tabindex="0" aria-label="{_safe(say("Picture"))}">'
            f"{_picture(readout, title, found)}</div>",
            *map(_table, found),
            f"<h2>{_safe(say('What is counted'))}</h2><p>{_safe(say(_experiments.DEFINITION))}</p>",
            "</main></body></html>\n",
        ]
    )


def _picture(readout: Readout, title: str, found: Sequence[Table]) -> str:
    rows, low, high = spans(readout)
    twin = "\n".join(line for table in found for line in table.lines)
    ends = ((low, f"{100 * low:+.0f} %"), (high, f"{100 * high:+.0f} %"))
    note = say("The dot is the effect beside the control, the line its 95 % interval, as far as there is room.")
    words = drawing.Words(name="readout", title=title, notes=[note], twin=twin)
    return drawing.spans(words, rows, ends, at=(0.0, say("no difference")))


def _table(table: Table) -> str:
    numbers = [any(_is_number(row[place]) for row in table.cells) for place in range(len(table.heads))]
    heads = "".join(
        f'<th scope="col"{_NUMBER * number}>{_safe(head)}</th>'
        for head, number in zip(table.heads, numbers, strict=True)
    )
    rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in table.cells)
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{_safe(table.title)}"><table>'
        f"<caption>{_safe(table.title)}</caption><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _cell(cell: object) -> str:
    return f"<td{_NUMBER * (cell is None or _is_number(cell))}>{_safe('-' if cell is None else str(cell))}</td>"


def _is_number(cell: object) -> bool:
    return cell is not None and str(cell)[:1] in "+-<0123456789"


def _safe(text: str) -> str:
    return html.escape(visible(text))
