"""What Candy Haven gives to read, on a page and as a feed, and how one tells others of it."""

from __future__ import annotations

import cxkit
from examples.candy_haven import feeds, pages
from examples.candy_haven.counter import Answer, Asked, asked_in, customer_of, refused, see, view_of
from examples.candy_haven.customers import feed_token, reader_of, renew_feed
from examples.candy_haven.experiences import order, posts
from examples.candy_haven.parts import View
from examples.candy_haven.stock import LANGUAGES, POSTS, SWEETS, Post
from examples.candy_haven.touchpoints import FAMILY_TOLD, POST_READ, POST_SHARED


def blog(asked: Asked) -> Answer:
    view, how = view_of(asked), posts.show()
    full = how.form == {"full": True}
    return Answer(html=pages.blog(view, in_order(order.show()), full=full, asks=asked_in(view, how)))


def post(asked: Asked) -> Answer:
    found = POSTS.get(asked.path["slug"])
    if found is None:
        return refused(asked, 404)
    POST_READ.capture(slug=found.slug)
    return Answer(html=pages.post(view_of(asked), found))


def share(asked: Asked) -> Answer:
    what = asked.path["what"]
    found = SWEETS.get(what) or POSTS.get(what)
    return Answer(html=pages.share(view_of(asked), found, f"/share/{what}")) if found else refused(asked, 404)


def tell(asked: Asked) -> Answer:
    what = asked.path["what"]
    if what in SWEETS:
        FAMILY_TOLD.capture(sku=what)
        return Answer(html=pages.shared(view_of(asked), f"/sweets/{what}?from=family"))
    if what in POSTS:
        POST_SHARED.capture(slug=what)
        return Answer(html=pages.shared(view_of(asked), f"/blog/{what}"))
    return refused(asked, 404)


def feed(asked: Asked) -> Answer:
    """All of the posts for whose address it is, if they allow that; how they begin for everybody else.

    A message's token is no login: what it shows is of depth 2 at most, and nobody is signed in by it. And a program
    fetches it, which cxkit sees by the type of the response: nothing was read, so nothing is shown, only decided.
    """
    reader, language = reader_of(asked.path.get("token", "")), cxkit.language(LANGUAGES)
    anybody = cxkit.scope(channel="feed")
    with cxkit.scope(channel="feed", user_id=reader.user_id, evidence="token") if reader else anybody:
        how, sequence = posts.decide(), order.decide()
        language = cxkit.language(LANGUAGES) if reader else language
    view = View(language="fr" if language == "fr" else "en", cart={}, customer=None, undecided=False)
    text = feeds.atom(view.language, in_order(sequence), full=how.form == {"full": True}, asks=asked_in(view, how))
    kept = "private, max-age=900" if "token" in asked.path else "public, max-age=900"
    return Answer(html=text, headers={"Content-Type": feeds.TYPE, "Cache-Control": kept})


def new_feed_address(asked: Asked) -> Answer:
    if customer := customer_of(asked):
        renew_feed(customer)
    return see("/account")


def feed_address(asked: Asked) -> str:
    """Of the customer who has signed in; else of everybody."""
    customer = customer_of(asked)
    return f"/feed/{feed_token(customer)}" if customer else "/feed"


def in_order(decision: cxkit.Decision) -> list[Post]:
    sequence = decision.sequence
    assert isinstance(sequence, list | tuple)
    return [POSTS[str(slug)] for slug in sequence]
