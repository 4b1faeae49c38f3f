from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import (
    acquisition,
    burst,
    capture,
    customer,
    decisions,
    device,
    durability,
    email_prepare,
    enrichment,
    geo,
    insights,
    journeys,
    load,
    middleware,
    queue_bytes,
    start,
    visits,
)

PARTS = {
    "capture": capture, "queue": queue_bytes, "burst": burst, "middleware": middleware, "load": load,
    "visits": visits, "start": start,
    "durability": durability, "insights": insights, "customer": customer, "decisions": decisions, "journeys": journeys,
    "device": device,
    "geo": geo, "acquisition": acquisition, "enrichment": enrichment,
    "email": email_prepare,
}  # fmt: skip
NAMED = (
    "cxkit",
    "attrs",
    "msgspec",
    "httpcore",
    "starlette",
    "flask",
    "django",
    "growthbook",
    "maxminddb",
    "openfeature-sdk",
    "opentelemetry-sdk",
    "posthog",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure cxkit against floors and peers.")
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="which (default: all)")
    parser.add_argument("--quick", action="store_true", help="few rounds, to see that all of it runs")
    parser.add_argument("--write", action="store_true", help="renew benchmarks/RESULTS.md")
    asked = parser.parse_args()
    sections = [_heading()]
    for name, part in PARTS.items():
        if not asked.parts or name in asked.parts:
            print(f"measuring: {name} ...", file=sys.stderr, flush=True)
            sections.append(part.run(quick=asked.quick))
    text = "\n".join(sections)
    print(text)
    if asked.write:
        (Path(__file__).parent / "RESULTS.md").write_text(text, "utf-8")


def _heading() -> str:
    versions = []
    for name in NAMED:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"{name} not installed")
    return (
        "# Measurements\n\n"
        "Made by `python -m benchmarks --write`. Ratios are of paired rounds in one run, with their spread;\n"
        "times are of one machine and say little elsewhere.\n\n"
        f"- {datetime.now(UTC):%Y-%m-%d}, {platform.python_implementation()} {platform.python_version()}, "
        f"{platform.system()}, {os.cpu_count()} processors\n"
        f"- {', '.join(versions)}\n"
    )


main()
