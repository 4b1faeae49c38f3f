"""How `cxkit.language` chooses, beside Unicode's test cases. They are not part of cxkit; get them first.

``python -m benchmarks.languages CLDRLocaleMatcherTest.txt``

The file is in golang/text, ``language/testdata``. Its lines are ``available ; asked for ; expected``, and where nothing
fits the first that is available. CLDR's matching is another than RFC 4647's: it gives languages and scripts that
nobody asked for, where many can read them; cxkit does so only where an app says it (``related``). So a miss is
counted by its kind.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from cxkit.rules.language import is_tag, lookup


def main() -> None:
    for name in sys.argv[1:]:
        cases = list(read(Path(name)))
        kinds: Counter[str] = Counter()
        for available, asked, expected in cases:
            given = lookup(asked, available) or available[0]
            kind = judged(given, asked, expected)
            kinds[kind] += 1
            if kind != "right":
                print(f"  {kind}: of {', '.join(available)[:60]} for {', '.join(asked)} {given}, not {expected}")
        print(f"## {Path(name).name}: {kinds['right']} of {len(cases)} as expected; {dict(kinds)}")


def read(path: Path) -> Iterator[tuple[list[str], list[str], str]]:
    """The cases that are of tags alone."""
    for line in path.read_text("utf-8").splitlines():
        parts = [[tag.strip() for tag in part.split(",")] for part in line.partition("#")[0].split(";")]
        if len(parts) >= 3 and len(parts[2]) == 1 and all(map(is_tag, (*parts[0], *parts[1], *parts[2]))):
            yield parts[0], parts[1], parts[2][0]


def judged(given: str, asked: list[str], expected: str) -> str:
    if given == expected:
        return "right"
    languages = {one.partition("-")[0] for one in asked}
    if expected.partition("-")[0] not in languages:
        return "another language is not given"
    return "another variety" if given.partition("-")[0] == expected.partition("-")[0] else "another script is not given"


if __name__ == "__main__":
    main()
