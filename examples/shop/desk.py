"""Where the shop's phone is answered: another process, another channel, the same customers.

Run it with ``python -m examples.shop.desk "+33 6 39 98 12 34" discounts``.
"""

from __future__ import annotations

import sys

import cxkit
from examples.shop.touchpoints import CALL_ANSWERED


def answer(phone: str, topic: str) -> str:
    """Answer a call.

    Returns:
        What the operator reads on the screen.
    """
    with cxkit.scope(channel="phone", phone=phone):
        plan = cxkit.profile().traits.get("plan")
        CALL_ANSWERED.capture(topic=topic)
    return f"a {plan} customer calls about {topic}" if plan else f"somebody calls about {topic}"


if __name__ == "__main__":
    print(answer(*sys.argv[1:3]))
    cxkit.close()  # a program as short as this one delivers before it ends, or leaves it to the next
