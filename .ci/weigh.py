"""Judge an environment that holds cxkit and nothing else: what came with it, and how heavy it is.

Run it with ``python -I``, so that the checkout it lies in cannot be imported.
"""

from __future__ import annotations

import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path

MAX_DISTRIBUTIONS = 12
MAX_BYTES = 10_000_000


def size(distribution: Distribution) -> int:
    """The bytes of all files that the distribution installed."""
    paths = [Path(str(file.locate())) for file in distribution.files or ()]
    return sum(path.stat().st_size for path in paths if path.is_file())


def main() -> str | None:
    """Print the scales; return what is wrong, if anything is."""
    import cxkit

    sizes = {found.name: size(found) for found in distributions()}
    for name, weight in sorted(sizes.items()):
        print(f"{name:20} {weight:>12,} bytes")
    total = sum(sizes.values())
    print(f"{len(sizes)} distributions of at most {MAX_DISTRIBUTIONS}, {total:,} bytes of at most {MAX_BYTES:,}")

    home = Path(str(cxkit.__file__)).parent
    own = next(found for found in distributions() if found.name == "cxkit")
    rooms = {file.parts[0] for file in own.files or () if not file.parts[0].startswith(("..", "cxkit-"))}
    if not home.is_relative_to(sys.prefix):
        return f"cxkit comes from {home}, not from the wheel"
    if rooms != {"cxkit"}:
        return f"the wheel installs {sorted(rooms)}, not cxkit alone"
    if not (home / "py.typed").is_file():
        return "the wheel lacks py.typed"
    if len(sizes) > MAX_DISTRIBUTIONS or total > MAX_BYTES:
        return "too heavy"
    return None


if __name__ == "__main__":
    sys.exit(main())
