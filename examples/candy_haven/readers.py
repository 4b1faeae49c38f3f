"""Who comes to a letter, with a script: programs that look at it before her, and Nancy."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

from examples.candy_haven.customers import CUSTOMERS
from examples.candy_haven.mailbox import Letter, Mailbox
from examples.candy_haven.visitors import GOOD_CARD, LAPTOP, Browser, Visit, insist

APPLE = "Mozilla/5.0"
"""All that Apple's Mail Privacy Protection says of itself."""
GOOGLE = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
UNHURRIED_S = 10.0
"""Who follows a link sooner than that after it was sent may be a program: the shop does not say who it was."""


def fetch(url: str | None, agent: str, **fields: str) -> None:
    """Ask for it, without cookies, as programs do; with fields, post them."""
    insist(url is not None, "a letter has not what its recipient allows")
    body = urlencode(fields).encode() if fields else None
    opener = build_opener(ProxyHandler({}))  # this machine's, whatever the environment says
    with opener.open(Request(str(url), data=body, headers={"User-Agent": agent}), timeout=20) as answer:
        answer.read()


def programs(mailbox: Mailbox, congratulate: Callable[[str], str]) -> Visit:
    """What becomes of Nancy's letters before she reads any.

    Args:
        congratulate: Has the job write for the birthday of whom this address is; returns what it prints.
    """
    yield (
        "Her two orders were confirmed by letters, over SMTP. Before she reads the second, Apple's Mail Privacy\n"
        "Protection loads its picture, and a scanner follows all its links at once, with the one that nobody sees"
    )
    confirmed = mailbox.wait_for(2)[-1]
    insist(confirmed.leave is None, "what is owed to her could be left")
    fetch(confirmed.picture, APPLE)
    for link in confirmed.links:
        fetch(link, LAPTOP)
    yield "It is her birthday. A job writes to her, in French as she chose, with an offer that is decided for her"
    said = congratulate(CUSTOMERS["nancy"].email)
    insist(said == "sent", f"she wanted a letter on her birthday, and it was {said}")
    letter = mailbox.wait_for(3)[-1]
    insist("coffret or" in letter.html, "a gold customer was not offered what is for gold customers")


def reads(letter: Letter, phone: Browser, mailbox: Mailbox, congratulate: Callable[[str], str]) -> Visit:
    """Nancy and the letter for her birthday.

    Args:
        phone: Hers.
        congratulate: As for `programs`.
    """
    yield "In her own time Nancy opens the letter for her birthday: Google fetches its picture for her"
    fetch(letter.picture, GOOGLE)
    yield "She follows its offer on her phone, where nobody is signed in: the visit says by which letter it began"
    phone.restart()
    heading = phone.visit(letter.links[1]).heading
    insist(heading == "Nos douceurs", f"the offer led to {heading}")
    yield "One such letter is enough for her: she leaves with one click, in her mail program. The next job asks first"
    fetch(letter.leave, LAPTOP, **{"List-Unsubscribe": "One-Click"})
    said = congratulate(CUSTOMERS["nancy"].email)
    insist("opted_out" in said, f"she has left, and the next letter was {said}")
    yield f"It was told: {said}. What she orders is confirmed all the same, for that is owed to her"
    count = len(mailbox.letters)
    phone.open("/login", name="nancy", password=CUSTOMERS["nancy"].password)
    phone.open("/cart", sku="ALM-300")
    phone.open("/checkout", card=GOOD_CARD)
    insist(mailbox.wait_for(count + 1)[-1].leave is None, "what is owed to her could be left")
