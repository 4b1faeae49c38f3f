"""Of an experiment that counts nobody: how often its experiences were shown all the same, and why nobody took part."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cxkit.cli.experiments.declared import Declared
from cxkit.cli.language import count
from cxkit.cli.local import open_local
from cxkit.cli.local.reasons import reason_word
from cxkit.model import Holdout

__all__ = ["who_took_no_part"]

_SQL: Final = """
SELECT reason.value, COUNT(*) AS times
FROM interactions, json_each(payload, '$.data.decision.reasons') AS reason
WHERE name = 'experience.shown' AND experience = $experience
  AND substr(reason.value, 1, length($of)) = $of AND json_extract(payload, '$.data.decision.assignment') IS NULL
GROUP BY reason.value
ORDER BY times DESC, reason.value
"""


def who_took_no_part(declared: Declared, file: Path | None) -> Iterator[str]:
    """A line for each experience that was shown to somebody who took no part.

    Raises:
        LocalFileError: There is no such file, or it cannot be read.
    """
    if isinstance(declared.what, Holdout):
        return
    with open_local(file) as connection:
        for experience in declared.experiences:
            found = connection.execute(_SQL, {"experience": experience, "of": f"{declared.what.name}: "}).fetchall()
            if found:
                yield count(
                    "{experience} was shown {number} time to somebody who took no part: {reason}",
                    "{experience} was shown {number} times to somebody who took no part; {times} of them: {reason}",
                    sum(times for _, times in found),
                    experience=experience,
                    times=found[0][1],
                    reason=reason_word(found[0][0]),
                )
