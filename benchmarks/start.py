"""What importing cxkit costs over a bare start of Python."""

from __future__ import annotations

import subprocess
import sys
import time

from benchmarks.pairs import Row, rated, table

__all__ = ["run"]


def run(*, quick: bool) -> str:
    programs = {
        "python alone": "pass",
        "import attrs, pluggy": "import attrs, pluggy",
        "import cxkit, its names": "import cxkit; cxkit.touchpoint",
    }
    times: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(4 if quick else 15):
        for name, program in programs.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", program], check=True)
            times[name].append((time.perf_counter() - began) * 1000)
    base = times["python alone"]
    added = [one - bare for one, bare in zip(times["import cxkit, its names"], base, strict=True)]
    rows: list[Row] = [rated(name, values, base, "ms") for name, values in times.items()]
    rows.append(Row(name="added by import cxkit, its names", value=sorted(added)[len(added) // 2], unit="ms"))
    return table("Start", "Whole processes. Budget: 120 ms added.", rows)
