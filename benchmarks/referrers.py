"""How well referrers are told apart, on other people's lists. They are not part of cxkit; get them first.

``python -m benchmarks.referrers referer-tests.json [Socials.yml SearchEngines.yml AIAssistants.yml]``

- ``referer-tests.json``: the test cases of snowplow-referer-parser/referer-parser, URLs with their medium.
- the others: matomo-org/searchengine-and-social-list (CC0), hosts by medium. Needs PyYAML. They come with the plugin:
  what is missed of them is what it reads otherwise.

Recall: of the referrers that a corpus says are of a medium, how many are told to be. Precision: of those told to be of
a medium, how many are. All misses are listed.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cxkit.model import Acquisition, Context
from cxkit.testing.enricher_suite import request
from cxkit_acquisition.enricher import AcquisitionEnricher, Settings

MEDIA = {"chatbot": "ai_assistant", "unknown": "referral"}
OF_FILE = {"Socials": "social", "SearchEngines": "search", "AIAssistants": "ai_assistant"}


def main() -> None:
    enricher = AcquisitionEnricher(Settings())
    for path in map(Path, sys.argv[1:]):
        cases = list(snowplow(path) if path.suffix == ".json" else matomo(path))
        told = [(url, medium, medium_of(enricher, url)) for url, medium in cases]
        report(path.name, told)


def snowplow(path: Path) -> Iterator[tuple[str, str]]:
    for case in json.loads(path.read_text("utf-8")):
        yield case["uri"], MEDIA.get(case["medium"], case["medium"])


def matomo(path: Path) -> Iterator[tuple[str, str]]:
    import yaml

    for entry in yaml.safe_load(path.read_text("utf-8")).values():
        for host in hosts(entry):
            yield f"https://{host.replace('{}.', 'de.').replace('.{}', '.de')}/", OF_FILE[path.stem]


def hosts(entry: Any) -> Iterator[str]:
    for one in entry:
        yield from [one] if isinstance(one, str) else one["urls"]


def medium_of(enricher: AcquisitionEnricher, url: str) -> str:
    found = enricher.enrich(request(headers={"referer": url, "accept": "text/html"}), Context()).get("acquisition")
    return (isinstance(found, Acquisition) and found.medium) or "nothing"


def report(name: str, told: list[tuple[str, str, str]]) -> None:
    right = Counter(medium for _, medium, said in told if medium == said)
    of, said_so = Counter(medium for _, medium, _ in told), Counter(said for _, _, said in told)
    print(f"## {name}: {sum(right.values())} of {len(told)} right")
    for medium, number in of.most_common():
        recall = right[medium] / number
        precision = right[medium] / said_so[medium] if said_so[medium] else float("nan")
        print(f"{medium:13} recall {right[medium]}/{number} {recall:.1%}  precision {precision:.1%}")
    for url, medium, said in told:
        if medium != said:
            print(f"  missed: {url[:100]} is {medium}, told to be {said}")


if __name__ == "__main__":
    main()
