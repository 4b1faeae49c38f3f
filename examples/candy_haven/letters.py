"""The job that writes Candy Haven's letters: another process, which asks before each.

Run it with ``python -m examples.candy_haven.letters newsletter nancy@example.com``.
"""

from __future__ import annotations

import argparse

import cxkit

TOPICS = ("newsletter", "box")


def may_write(topic: str, email: str) -> str:
    """Whether a letter of this topic may go to this address now: "yes", or why not."""
    answer = cxkit.may_send(topic, "email", email=email)
    return "yes" if isinstance(answer, cxkit.Clear) else str(answer)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.candy_haven.letters", description="May we write?")
    parser.add_argument("topic", choices=TOPICS)
    parser.add_argument("email")
    print(may_write(**vars(parser.parse_args())))
    cxkit.close()


if __name__ == "__main__":
    main()
