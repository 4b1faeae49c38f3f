"""How well bounces are told, on other people's collections of real ones. They are not part of cxkit; get them first.

``python -m benchmarks.bounces EXPECTED.json DIRECTORY [--half 0|1] [--misses]``

- ``DIRECTORY``: messages, such as ``maildir/bsd`` of sisimai/set-of-emails (BSD-2-Clause), the test data of
  flufl.bounce (Apache-2.0), ``eml`` of cfortune/PHP-Bounce-Handler (BSD).
- ``EXPECTED.json``: ``[{"file": ..., "events": [{"recipient", "alias", "reason", "hard", "status"}]}]`` with the
  reasons of Sisimai: those of the tables in its own tests, the recipients those that it tells (``Sisimai->rise``).
  None, or no events: not known.

Recall: how many bounces are told to be one (delays count as told). Exact: how many of all bounces come with exactly the
recipients expected. Agreement: of recipients told right, how many are hard where it says hard, and not where it does
not. Sisimai says ``filtered`` of many a "user unknown" without a code: all that we call hard of these count against us.
flufl.bounce, if it is installed, runs beside on the same files; what it calls permanent counts as hard.

``--half`` takes every message whose name has that CRC-32 modulo 2. The rules were written on half 0 of Sisimai's; half
1, seen by nobody until then, came out at 99.0 % recall, 93.7 % exact, 87.3 % agreement, 8.1 % of soft ones called hard.
After that they were mended on both, so half 1 proves no more; PHP-Bounce-Handler's messages were never written for.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path
from typing import Any
from zlib import crc32

from cxkit_email.inbound import classify

OURS: dict[str, set[str]] = {
    "userunknown": {"user_unknown"}, "hostunknown": {"host_unknown"}, "notaccept": {"host_unknown"},
    "hasmoved": {"moved"}, "mailboxfull": {"mailbox_full"}, "mesgtoobig": {"too_large"}, "exceedlimit": {"too_large"},
    "emailtoolarge": {"too_large"}, "suspend": {"disabled"}, "expired": {"deferred_expired"},
    "networkerror": {"deferred_expired", "other"}, "norelaying": {"relay"}, "spamdetected": {"content_spam"},
    "virusdetected": {"content_virus"}, "authfailure": {"auth_failure"}, "badreputation": {"reputation"},
    "requireptr": {"reputation"}, "blocked": {"blocked", "reputation"},
    "rejected": {"blocked", "policy", "auth_failure"},
    "filtered": {"blocked", "policy", "disabled", "other"}, "policyviolation": {"policy", "blocked"},
    "securityerror": {"policy", "blocked", "auth_failure", "content_virus"}, "notcompliantrfc": {"policy"},
    "toomanyconn": {"rate_limited"}, "speeding": {"rate_limited"}, "ratelimited": {"rate_limited"},
}  # fmt: skip
NO_BOUNCES = {"feedback", "delivered", "vacation"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bounces")
    parser.add_argument("expected", type=Path)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--half", type=int, choices=(0, 1))
    parser.add_argument("--misses", action="store_true", help="list what is told otherwise")
    asked = parser.parse_args()
    cases = [
        (case["file"], case["events"])
        for case in json.loads(asked.expected.read_text("utf-8"))
        if case["events"] and asked.half in {None, crc32(case["file"].encode()) % 2}
    ]
    for name, tell in tellers():
        account(name, tell, cases, asked.directory, misses=asked.misses and name == "cxkit")


def tellers() -> Iterator[tuple[str, Any]]:
    yield "cxkit", told_by_cxkit
    try:
        from flufl.bounce import all_failures
    except ImportError:
        return

    def told_by_flufl(raw: bytes) -> tuple[str, dict[str, tuple[str, bool]]]:
        try:
            soft, hard = all_failures(message_from_bytes(raw))
        except Exception as error:  # noqa: BLE001 - a detector's own
            return f"raised {type(error).__name__}", {}
        told = {one.decode("utf-8", "replace").casefold(): ("", False) for one in soft}
        told |= {one.decode("utf-8", "replace").casefold(): ("", True) for one in hard}
        return ("bounce" if told else "unknown"), told

    yield "flufl.bounce", told_by_flufl


def told_by_cxkit(raw: bytes) -> tuple[str, dict[str, tuple[str, bool]]]:
    found = classify(raw)
    told = {
        (report.recipient or "").casefold(): (report.bounce.reason, report.bounce.kind == "hard")
        for report in found.reports
        if report.bounce is not None
    }
    return found.kind, told


def account(
    name: str, tell: Any, cases: list[tuple[str, list[dict[str, Any]]]], directory: Path, *, misses: bool
) -> None:
    counts: Counter[str] = Counter()
    listed: list[str] = []
    for file, events in cases:
        kind, told = tell((directory / file).read_bytes())
        bounces = [event for event in events if event["reason"] not in NO_BOUNCES]
        if not bounces:
            counts["others"] += 1
            counts["others called bounces"] += kind in {"bounce", "delay"}
            if kind in {"bounce", "delay"}:
                listed.append(f"{file}: no bounce ({[e['reason'] for e in events]}), told to be a {kind}")
            continue
        counts["bounces"] += 1
        counts["raised"] += kind.startswith("raised")
        counts["told"] += kind in {"bounce", "delay"}
        right = exact(bounces, told)
        counts["exact"] += right
        if not right:
            listed.append(f"{file}: {kind}, recipients {[e['recipient'] for e in bounces]}, told {list(told)}")
        for event in bounces:
            compare(event, told, counts, listed, file, alone=len(bounces) == len(told) == 1)
    summarise(name, counts)
    if misses:
        print(*(f"  {one}" for one in listed), sep="\n")


def summarise(name: str, counts: Counter[str]) -> None:
    print(f"## {name}: {counts['bounces']} bounces, {counts['others']} others")
    show("recall", counts["told"], counts["bounces"])
    show("exactly the right recipients", counts["exact"], counts["bounces"])
    show("hard or not, as expected", counts["agreed"], counts["compared"])
    show("soft called hard", counts["soft called hard"], counts["soft"])
    show("hard called soft", counts["hard called soft"], counts["hard"])
    if counts["raised"]:
        print(f"raised {counts['raised']} times")
    if name == "cxkit":
        show("reason as expected", counts["reason"], counts["mapped"])
    show("others called bounces", counts["others called bounces"], counts["others"])


def exact(bounces: list[dict[str, Any]], told: dict[str, tuple[str, bool]]) -> bool:
    """An address and what it stands for are both right; one that nobody knows is right as it is told."""
    known = [{(event[key] or "").casefold() for key in ("recipient", "alias")} - {""} for event in bounces]
    if not all(known):
        return bool(told)
    return all(any(one in told for one in names) for names in known) and set(told) <= set().union(*known)


def compare(
    event: dict[str, Any],
    told: dict[str, tuple[str, bool]],
    counts: Counter[str],
    listed: list[str],
    file: str,
    *,
    alone: bool,
) -> None:
    names = [(event[key] or "").casefold() for key in ("recipient", "alias")]
    found = next((told[name] for name in names if name in told), None) or (next(iter(told.values())) if alone else None)
    if found is None or event["hard"] is None:
        return
    reason, hard = found
    expected = bool(event["hard"])
    counts["compared"] += 1
    counts["agreed"] += hard == expected
    counts["hard" if expected else "soft"] += 1
    if hard != expected:
        counts["soft called hard" if hard else "hard called soft"] += 1
        listed.append(f"{file}: {event['reason']} {event['status']} told to be {reason} {'HARD' if hard else ''}")
    if event["reason"] in OURS:
        counts["mapped"] += 1
        counts["reason"] += reason in OURS[event["reason"]]
        if reason not in OURS[event["reason"]] and hard == expected:
            listed.append(f"{file}: {event['reason']} {event['status']} told to be {reason}")


def show(what: str, part: int, whole: int) -> None:
    print(f"{what:30} {part}/{whole} {part / whole if whole else float('nan'):.1%}")


if __name__ == "__main__":
    main()
