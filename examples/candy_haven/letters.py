"""Candy Haven's letters: each is made for one person, followed as far as they allow, and handed to a server of SMTP.

The shop confirms orders by them. Who has a birthday is for a job, which is another process and asks before each:
``python -m examples.candy_haven.letters birthday nancy@example.com``. Of other topics it only says whether it may.
"""

from __future__ import annotations

import argparse
import logging
import os
import smtplib
from concurrent.futures import Future, ThreadPoolExecutor
from email.headerregistry import Address
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import cxkit
from examples.candy_haven.counter import text_of
from examples.candy_haven.customers import CUSTOMERS, Customer, Order
from examples.candy_haven.experiences import birthday
from examples.candy_haven.parts import View
from examples.candy_haven.stock import LANGUAGES, SWEETS, Language

if TYPE_CHECKING:
    from cxkit_email.templates import Templates

TOPICS = ("newsletter", "box", "birthday")
_OFFICE = ThreadPoolExecutor(max_workers=1, thread_name_prefix="letters")
"""Whoever orders does not wait for it. A real shop has a queue here, which tries again."""


def may_write(topic: str, email: str) -> str:
    """Whether a letter of this topic may go to this address now: "yes", or why not."""
    answer = cxkit.may_send(topic, "email", email=email)
    return "yes" if isinstance(answer, cxkit.Clear) else str(answer)


def confirm(customer: Customer, order: Order, view: View) -> None:
    """Write that an order has come in, while the shop goes on."""
    if _server():
        _OFFICE.submit(cxkit.carry(_confirm), customer, order, view).add_done_callback(_look_at)


def congratulate(customer: Customer) -> str:
    """Write on somebody's birthday: "sent", or why not."""
    offer = birthday.decide(person={"user_id": customer.user_id})  # (8) decided for each, where they are not
    with cxkit.scope(user_id=customer.user_id, evidence="login"):
        language: Language = "fr" if cxkit.language(LANGUAGES) == "fr" else "en"
    view = View(language=language, cart={}, customer=customer, undecided=False)
    message = _templates().message(
        "birthday",
        to=_address(customer),
        locale=language,
        name=customer.name,
        offer=text_of(view, offer),
        shop=_shop(),
    )
    return _send(message, customer, topic="birthday", campaign="birthday")


def _confirm(customer: Customer, order: Order, view: View) -> str:
    message = _templates().message(
        "order",
        to=_address(customer),
        locale=view.language,
        name=customer.name,
        number=order.number,
        sweets=[{"quantity": many, "name": SWEETS[sku].names[view.language]} for sku, many in order.cart.items()],
        total=view.price(order.total),
        shop=_shop(),
    )
    return _send(message, customer, topic="receipt")


def _send(message: EmailMessage, customer: Customer, *, topic: str, campaign: str | None = None) -> str:
    from cxkit_email import Prepared, prepare
    from cxkit_email.sending import send

    # (9) whether it may go; its links, its picture and the way to leave, as this recipient allows
    prepared = prepare(message, customer.email, topic=topic, campaign=campaign)
    if not isinstance(prepared, Prepared):
        return str(prepared)
    host, _, port = _server().rpartition(":")
    with smtplib.SMTP(host, int(port), local_hostname="candy.example", timeout=20) as server:
        return "sent" if send(server, prepared) else "refused by the server"


def _look_at(written: Future[str]) -> None:
    """Nobody waits for a letter of the shop's: so what went wrong is said here."""
    failed = written.exception()
    if failed is not None or written.result() != "sent":
        logging.getLogger(__name__).error("an order was not confirmed: %s", type(failed).__name__)


def _server() -> str:
    """Where the server of SMTP is; empty: there is none, and nothing is written."""
    return os.environ.get("CANDY_HAVEN_SMTP", "")


def _shop() -> str:
    return os.environ.get("CANDY_HAVEN_URL", "http://127.0.0.1:8000")


@cache
def _templates() -> Templates:
    from cxkit_email.templates import Templates

    return Templates(Path(__file__).with_name("templates"), sender="Candy Haven <letters@candy.example>")


def _address(customer: Customer) -> Address:
    return Address(customer.name, addr_spec=customer.email)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.candy_haven.letters", description="Write, or ask.")
    parser.add_argument("topic", choices=TOPICS)
    parser.add_argument("email")
    asked = parser.parse_args()
    customer = next((one for one in CUSTOMERS.values() if one.email == asked.email), None)
    if asked.topic == "birthday" and customer is not None and _server():
        print(congratulate(customer))
    else:
        print(may_write(asked.topic, asked.email))
    cxkit.close()


if __name__ == "__main__":
    main()
