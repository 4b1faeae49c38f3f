"""Where Candy Haven's phone is answered: another process, another channel, the same customers.

Run it with ``python -m examples.candy_haven.desk "+33 6 39 98 12 34" discounts``.
"""

from __future__ import annotations

import argparse

import cxkit
from examples.candy_haven.experiences import reply
from examples.candy_haven.pages import TOPICS
from examples.candy_haven.stock import LANGUAGES
from examples.candy_haven.touchpoints import CALL_ANSWERED


def answer(phone: str, topic: str, case: str | None = None, *, proven: bool = False) -> str:
    """Answer a call.

    Args:
        phone: The caller's number, with the code of the country.
        case: The case they name, if they wrote before.
        proven: Whether they proved who they are: they told what only this customer knows. A number alone proves
            nothing, so that nothing of theirs is told to whoever calls by it.

    Returns:
        What the operator reads on the screen.
    """
    with cxkit.scope(channel="phone", phone=phone, evidence="login" if proven else "claim"):
        plan = cxkit.current().profile.traits.get("plan")
        CALL_ANSWERED.on(case=case).capture(topic=topic)
        how = reply.decide()  # what they read on the web, they are told here
        language = "fr" if cxkit.language(LANGUAGES) == "fr" else "en"
    caller = f"a {plan} customer" if plan else "somebody"
    seen = f"{caller} calls about {topic}"
    return f"{seen}. Say: {how.content[language]}" if how.depth and isinstance(how.content, dict) else seen


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.candy_haven.desk", description="Answer a call.")
    parser.add_argument("phone")
    parser.add_argument("topic", choices=TOPICS)
    parser.add_argument("case", nargs="?")
    parser.add_argument("--proven", action="store_true", help="they proved who they are")
    print(answer(**vars(parser.parse_args())))
    cxkit.close()  # a program as short as this one delivers before it ends, or leaves it to the next


if __name__ == "__main__":
    main()
