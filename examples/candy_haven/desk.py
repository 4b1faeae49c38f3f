"""Where Candy Haven's phone is answered: another process, another channel, the same customers.

Run it with ``python -m examples.candy_haven.desk "+33 6 39 98 12 34" discounts``.
"""

from __future__ import annotations

import argparse

import cxkit
from examples.candy_haven.pages import TOPICS
from examples.candy_haven.touchpoints import CALL_ANSWERED


def answer(phone: str, topic: str, case: str | None = None) -> str:
    """Answer a call.

    Args:
        phone: The caller's number, with the code of the country.
        case: The case they name, if they wrote before.

    Returns:
        What the operator reads on the screen.
    """
    with cxkit.scope(channel="phone", phone=phone):
        plan = cxkit.current().profile.traits.get("plan")
        CALL_ANSWERED.on(case=case).capture(topic=topic)
    return f"a {plan} customer calls about {topic}" if plan else f"somebody calls about {topic}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.candy_haven.desk", description="Answer a call.")
    parser.add_argument("phone")
    parser.add_argument("topic", choices=TOPICS)
    parser.add_argument("case", nargs="?")
    print(answer(**vars(parser.parse_args())))
    cxkit.close()  # a program as short as this one delivers before it ends, or leaves it to the next


if __name__ == "__main__":
    main()
