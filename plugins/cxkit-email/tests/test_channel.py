"""What is prepared, opened, followed and left, over HTTP."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest
from starlette.testclient import TestClient

import cxkit
from cxkit.model import Bounce
from cxkit_email import Prepared
from cxkit_email.channel import channel_of
from cxkit_email.tokens import Token, bounce_token, read_token, token

Make = Callable[..., Any]
NANCY = "nancy@example.com"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}
LINK = re.compile(r"https://shop\.example(/cx/c/[\w-]{55})")
PIXEL = re.compile(r"https://shop\.example(/cx/o/[\w-]{55}\.gif)")


def links(post: Any, prepared: Prepared) -> list[str]:
    """The paths of its links, in order; the last is the one that nobody sees, which stands first."""
    trap, *seen = LINK.findall(post.html_of(prepared))
    return [*seen, trap]


def pixel(post: Any, prepared: Prepared) -> str:
    (found,) = PIXEL.findall(post.html_of(prepared))
    return found


def leave(prepared: Prepared) -> str:
    return urlsplit(str(prepared.message["List-Unsubscribe"]).strip("<>")).path


def sent(post: Any, *, after_s: float = 60.0, **given: Any) -> Prepared:
    prepared = post.prepared(**given)
    prepared.sent()
    post.clock.advance(after_s)
    return prepared


# --- what is put in -------------------------------------------------------------------------------


def test_without_consent_nothing_is_followed_and_there_is_a_way_out(post: Make) -> None:
    here = post(opens="individual")
    prepared = here.prepared()
    assert here.html_of(prepared) == here.html_of(attrs.evolve(prepared, message=here.mail()))
    assert prepared.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert str(prepared.message["List-Unsubscribe"]).startswith("<https://shop.example/cx/u/")
    assert prepared.message["Message-ID"] == f"<{prepared.id}@shop.example>"


def test_links_are_followed_of_whoever_allows_analytics(post: Make) -> None:
    here = post()
    here.allows("analytics")
    html = here.html_of(here.prepared())
    assert len(LINK.findall(html)) == 3, "two links, and one that nobody sees"
    assert "mailto:us@shop.example" in html
    assert "https://shop.example/almonds" not in html
    assert not PIXEL.search(html)


@pytest.mark.parametrize(
    ("opens", "allowed", "there"),
    [("off", True, False), ("individual", False, False), ("individual", True, True), ("aggregate", False, True)],
)
def test_a_pixel_needs_its_own_consent_or_counts_nobody(post: Make, opens: str, allowed: bool, there: bool) -> None:
    here = post(opens=opens)
    here.allows("analytics", *(["message_open"] if allowed else []))
    prepared = here.prepared()
    found = PIXEL.search(here.html_of(prepared))
    assert (found is not None) == there
    if found:
        said = read_token(here.kit.desk.keyring, "open", found[1].removesuffix(".gif").rpartition("/")[2])
        assert said.send == ("0" * 32 if opens == "aggregate" else prepared.id)


def test_nothing_but_the_links_changes(post: Make) -> None:
    here = post()
    here.allows("analytics")
    prepared = here.prepared()
    html, before = here.html_of(prepared), here.html_of(attrs.evolve(prepared, message=here.mail()))
    back = re.sub(r'<a href="https://shop\.example/cx/c/[\w-]{55}" rel="nofollow"[^>]*></a>', "", html)
    for url in ("https://shop.example/almonds?a=1&amp;b=2#top", "https://partner.example/x"):
        back = LINK.sub(url, back, count=1)
    assert back == before


@pytest.mark.parametrize("encoding", ["7bit", "8bit", "base64", "quoted-printable"])
def test_the_html_stays_in_its_encoding(post: Make, encoding: str) -> None:
    here = post()
    here.allows("analytics")
    mail = here.mail(html=None)
    word = "Mandeln" if encoding == "7bit" else "Amandes grillées"
    mail.add_alternative(f'<a href="https://shop.example/a">{word}</a>\n', subtype="html", cte=encoding)
    prepared = here.prepared(message=mail)
    (part,) = (one for one in prepared.message.walk() if one.get_content_type() == "text/html")
    assert part["Content-Transfer-Encoding"] == encoding
    assert f">{word}</a>" in here.html_of(prepared)
    assert LINK.search(here.html_of(prepared))


def test_the_mail_of_the_app_stays_as_it_was(post: Make) -> None:
    here = post(opens="aggregate")
    here.allows("analytics")
    mail = here.mail()
    before = mail.as_bytes()
    here.prepared(message=mail)
    assert mail.as_bytes() == before


def test_a_mail_has_a_date_and_its_own_stays(post: Make) -> None:
    here = post()
    dated = here.mail()
    dated["Date"] = "Mon, 23 Nov 2026 09:00:00 +0100"
    assert here.prepared(message=dated).message["Date"] == dated["Date"]
    given = parsedate_to_datetime(str(here.prepared().message["Date"]))
    assert given.timestamp() == here.clock.time_ns() // 10**9
    assert given.tzinfo is not None


def test_an_apps_own_way_out_goes_only_where_there_is_another(post: Make) -> None:
    here, own = post(), "<https://shop.example/account/letters>"
    mail = here.mail()
    mail["List-Unsubscribe"] = own
    mail["X-CX-Send"] = "somebody-elses"
    receipt, news = (here.prepared(message=mail, topic=topic).message for topic in ("receipt", "news"))
    assert receipt.get_all("List-Unsubscribe") == [own]
    assert [str(one).startswith("<https://shop.example/cx/u/") for one in news.get_all("List-Unsubscribe")] == [True]
    assert "somebody-elses" not in receipt.get_all("X-CX-Send") + news.get_all("X-CX-Send")
    without = post(url=None).prepared(message=mail).message
    assert without.get_all("List-Unsubscribe") == [own]


def test_what_is_transactional_has_no_way_out(post: Make) -> None:
    here = post()
    prepared = here.prepared(topic="receipt")
    assert prepared.message["List-Unsubscribe"] is None
    assert prepared.message["X-CX-Send"] == bounce_token(here.kit.desk.keyring, prepared.id)


def test_a_bounce_finds_its_way_by_the_envelope(post: Make) -> None:
    here = post(bounces="bounces.shop.example")
    prepared = here.prepared()
    assert prepared.sender == f"bounce+{bounce_token(here.kit.desk.keyring, prepared.id)}@bounces.shop.example"
    assert len(prepared.sender.partition("@")[0]) <= 64


def test_no_token_names_anybody(post: Make) -> None:
    here = post(opens="individual", bounces="bounces.shop.example")
    here.allows("analytics", "message_open")
    prepared = here.prepared()
    written = prepared.message.as_string() + str(prepared.sender)
    key = here.kit.messages.recipient("email", NANCY).value
    assert key not in written
    assert written.count("nancy") == 1, "in To alone"
    assert "nancy" not in repr(prepared)


@pytest.mark.parametrize(
    ("settings", "needs"),
    [
        ({}, {"/c": "analytics"}),
        ({"opens": "aggregate", "clicks": False}, {}),
        ({"opens": "individual"}, {"/c": "analytics", "/o": "message_open"}),
    ],
)
def test_doctor_is_told_what_has_to_be_asked_for(
    post: Make, settings: dict[str, Any], needs: dict[str, str | None]
) -> None:
    endpoints = channel_of(post(**settings).kit).endpoints()
    assert {one.path[:2]: one.needs for one in endpoints if one.needs} == needs


# --- whether it may go ----------------------------------------------------------------------------


def test_what_may_not_go_is_not_prepared(post: Make) -> None:
    from cxkit_email import prepare

    here = post()
    with cxkit.scope(kit=here.kit):
        cxkit.prefer("news", "email", "denied", email=NANCY)
    answer = prepare(here.mail(), NANCY, topic="news", kit=here.kit)
    assert str(answer) == "send:marketing:opted_out:email"


# --- followed -------------------------------------------------------------------------------------


def test_a_link_leads_where_it_led_and_is_captured(post: Make) -> None:
    here = post()
    here.allows("analytics")
    prepared = sent(here, campaign="spring")
    answer = here.client().get(links(here, prepared)[0])
    assert answer.status_code == 302
    location = urlsplit(answer.headers["location"])
    assert (location.netloc, location.path, location.fragment) == ("shop.example", "/almonds", "top")
    assert parse_qs(location.query).keys() == {"a", "b", "cx_m"}
    assert answer.headers["cache-control"] == "no-store, private"
    (clicked,) = here.captured("message.clicked")
    assert clicked.properties["by"] == "human"
    assert clicked.properties["message"] == prepared.id
    assert (clicked.properties["campaign"], clicked.properties["link"]) == ("spring", 0)
    assert (clicked.properties["host"], clicked.properties["path"]) == ("shop.example", "/almonds")
    assert [one.type for one in clicked.identity.identifiers] == ["email"]


def test_a_link_to_somebody_elses_site_says_nothing_of_the_mail(post: Make) -> None:
    here = post()
    here.allows("analytics")
    answer = here.client().get(links(here, sent(here))[1])
    assert answer.headers["location"] == "https://partner.example/x"
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_a_head_counts_nothing(post: Make) -> None:
    here = post(opens="individual")
    here.allows("analytics", "message_open")
    prepared = sent(here)
    client = here.client()
    assert client.head(links(here, prepared)[0]).status_code == 302
    assert client.head(pixel(here, prepared)).status_code == 200
    assert client.head(leave(prepared)).status_code == 200
    assert here.captured("message.clicked") == here.captured("message.opened") == []
    assert here.may_send() == "Clear"


def test_who_follows_what_nobody_sees_is_a_machine_and_so_were_its_other_clicks(post: Make) -> None:
    here = post()
    here.allows("analytics")
    prepared = sent(here)
    seen, _, trap = links(here, prepared)
    client = here.client()
    client.get(seen)
    assert client.get(trap).status_code == 204
    by = {
        one.properties["link"]: (one.properties["by"], bool(one.identity)) for one in here.captured("message.clicked")
    }
    assert by == {0: ("human", True), 2: ("machine", False)}
    (revised,) = here.captured("message.verdict_revised")
    assert (revised.properties["by"], revised.properties["happened"]) == ("machine", "clicked")


def use(client: Any, landing: str, *, interactions: int = 1) -> None:
    """As cx.js says it."""
    id, properties = os.urandom(16).hex(), {"interactions": interactions}
    used = {"id": id, "at": 0, "name": "page.engaged", "engaged_ms": 9, "properties": properties}
    headers = {"sec-fetch-site": "same-origin", "referer": landing.partition("#")[0], "content-type": "text/plain"}
    assert client.post("/cx/i", content=json.dumps({"sent": 0, "events": [used]}), headers=headers).status_code == 204


def landed(here: Any, prepared: Any, client: Any) -> str:
    allowed = {"choices": {"analytics": "granted"}}
    client.post("/cx/consent", json=allowed, headers={"sec-fetch-site": "same-origin"})
    location: str = client.get(links(here, prepared)[0]).headers["location"]
    return location


def at_once_followed(here: Any) -> tuple[Prepared, Any, str]:
    """A mail whose link somebody followed too fast to tell who it was: it, their browser, and where that was led."""
    here.allows("analytics")
    prepared: Prepared = here.prepared()
    prepared.sent()
    client = here.client()
    return prepared, client, landed(here, prepared, client)


def revised(here: Any) -> list[tuple[str, list[str]]]:
    return [(one.properties["by"], one.properties["reasons"]) for one in here.captured("message.verdict_revised")]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What pages confirm, so that what they do not can be seen, too."""
    monkeypatch.setattr("cxkit.web.beacon.inlet.aside", lambda work: work() or True)


@pytest.mark.usefixtures("at_once")
def test_who_uses_the_page_that_a_link_led_to_is_human_whatever_else_followed_it(post: Make) -> None:
    """The first click was too fast to tell; a scanner that comes later makes no machine of who was there."""
    here = post()
    prepared, client, landing = at_once_followed(here)
    assert here.captured("message.clicked")[-1].properties["by"] == "unknown"
    use(client, landing, interactions=0)
    assert revised(here) == []
    for _ in range(2):
        use(client, landing)
    assert revised(here) == [("human", ["js_confirmed", "browser", "too_fast"])], "once"
    here.client().get(links(here, prepared)[2])
    assert len(revised(here)) == 1
    assert here.captured("message.clicked")[-1].properties["by"] == "machine"


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(("after_s", "confirms"), [(700, True), (3_599, True), (3_601, False)])
def test_a_page_confirms_its_click_for_an_hour(post: Make, after_s: int, confirms: bool) -> None:
    here = post()
    _, client, landing = at_once_followed(here)
    here.clock.advance(after_s)
    use(client, landing)
    assert bool(revised(here)) == confirms
    assert here.kit.intake.noted["token_refused"] == 0, "it is ours, and old"


@pytest.mark.usefixtures("at_once")
def test_a_click_that_was_a_humans_is_told_once_and_stays_one(post: Make) -> None:
    here = post()
    here.allows("analytics")
    client = here.client()
    prepared = sent(here)
    use(client, landed(here, prepared, client))
    assert revised(here) == []
    client.get(links(here, prepared)[2])
    assert [one.properties["by"] for one in here.captured("message.clicked")] == ["human", "machine"]
    assert revised(here) == []


@pytest.mark.usefixtures("at_once")
def test_a_confirmation_while_another_hit_is_judged_stays(post: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other had read the message before, and says of the click that it was a machine's."""
    here = post()
    here.allows("analytics")
    client = here.client()
    prepared = sent(here)
    landing, confirming = landed(here, prepared, client), [True]
    inner = here.kit.messages.hit

    def hit(*args: Any, **more: Any) -> Any:
        kept = inner(*args, **more)
        if confirming.pop():
            use(client, landing)
        return kept

    monkeypatch.setattr(here.kit.messages, "hit", hit)
    client.get(links(here, prepared)[2])
    assert [by for by, _ in revised(here)][-1:] in ([], ["human"])
    message = here.kit.messages.of(prepared.id)
    (seen,) = [one for one in message.hits if one["link"] == 0]
    assert (seen["actor"], "js_confirmed" in seen["signs"]) == ("human", True)


@pytest.mark.usefixtures("at_once")
def test_a_page_confirms_nothing_altered_nor_after_a_withdrawal(post: Make) -> None:
    here = post()
    _, client, landing = at_once_followed(here)
    for altered in (landing.replace("#", "0#"), landing.replace("cx_m=", "cx_m=0"), landing.replace("cx_m=", "m=")):
        use(client, altered)
    assert revised(here) == []
    with cxkit.scope(kit=here.kit, email=NANCY, evidence="login"):
        cxkit.withdraw("analytics")
    use(client, landing)
    assert revised(here) == []


def test_after_a_withdrawal_a_link_leads_on_and_nothing_is_known(post: Make) -> None:
    here = post()
    here.allows("analytics")
    prepared = sent(here)
    with cxkit.scope(kit=here.kit, email=NANCY, evidence="login"):
        cxkit.withdraw("analytics")
    assert here.client().get(links(here, prepared)[0]).status_code == 302
    assert here.captured("message.clicked") == []
    assert here.kit.messages.of(prepared.id).hits == ()


# --- no way to lead anybody anywhere else ---------------------------------------------------------


@pytest.mark.parametrize(
    "tail",
    [
        "", "x", "A" * 55, "https://evil.example/", "//evil.example", "%2F%2Fevil.example", "..%2f..", "\\evil.example",
        "?u=https://evil.example", "A" * 10_000, "%0d%0aLocation:%20https://evil.example",
    ],
)  # fmt: skip
def test_what_is_no_token_leads_nowhere(post: Make, tail: str) -> None:
    """B76, S4."""
    answer = post().client().get(f"/cx/c/{tail}")
    assert answer.status_code in (200, 404)
    assert "location" not in answer.headers
    assert "evil" not in answer.text


def test_a_token_of_another_kind_or_altered_leads_nowhere(post: Make) -> None:
    """S1, S4."""
    here = post(opens="individual")
    here.allows("analytics", "message_open")
    prepared = sent(here)
    first = links(here, prepared)[0].rpartition("/")[2]
    opened = pixel(here, prepared).rpartition("/")[2].removesuffix(".gif")
    for wrong in (
        opened,
        leave(prepared).rpartition("/")[2],
        first[:-1] + ("A" if first[-1] != "A" else "B"),
        first[1:],
    ):
        assert here.client().get(f"/cx/c/{wrong}").status_code == 404
    beyond = token(
        here.kit.desk.keyring, "link", attrs.evolve(read_token(here.kit.desk.keyring, "link", first), number=9)
    )
    assert here.client().get(f"/cx/c/{beyond}").status_code == 404
    nowhere = token(here.kit.desk.keyring, "link", Token(send=prepared.id, mailing="ab" * 6))
    assert here.client().get(f"/cx/c/{nowhere}").status_code == 404
    assert here.captured("message.clicked") == []


# --- opened ---------------------------------------------------------------------------------------


def test_the_picture_is_always_the_same(post: Make) -> None:
    here = post(opens="individual")
    here.allows("message_open")
    prepared = sent(here)
    client = here.client()
    pictures = [client.get(path) for path in (pixel(here, prepared), "/cx/o/none.gif", f"/cx/o/{'A' * 55}.gif")]
    assert {one.content for one in pictures} == {pictures[0].content}
    for one in pictures:
        assert (one.status_code, one.headers["content-type"], len(one.content)) == (200, "image/gif", 43)
        assert one.headers["cache-control"] == "no-store, private"
        assert "set-cookie" not in one.headers
    assert len(here.captured("message.opened")) == 1


@pytest.mark.parametrize(("agent", "by", "known"), [(GMAIL, "proxy", True), ("Mozilla/5.0", "machine", False)])
def test_who_opened_it(post: Make, agent: str, by: str, known: bool) -> None:
    here = post(opens="individual")
    here.allows("message_open")
    prepared = sent(here)
    here.client(agent=agent).get(pixel(here, prepared))
    (opened,) = here.captured("message.opened")
    assert (opened.properties["by"], bool(opened.identity)) == (by, known)


def test_a_pixel_that_counts_knows_nobody(post: Make) -> None:
    here = post(opens="aggregate")
    prepared = sent(here, campaign="spring")
    here.client().get(pixel(here, prepared))
    (opened,) = here.captured("message.opened")
    assert not opened.identity
    assert dict(opened.properties) == {"topic": "news", "campaign": "spring"}


# --- left -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoded", ["urlencoded", "multipart"])
def test_one_click_leaves_one_topic_at_once(post: Make, encoded: str) -> None:
    here = post()
    prepared = sent(here)
    client: TestClient = here.client(agent="Mozilla/5.0 (compatible; mail)")
    given = {"data": ONE_CLICK} if encoded == "urlencoded" else {"files": {"List-Unsubscribe": (None, "One-Click")}}
    for _ in range(2):
        answer = client.post(leave(prepared), **given)
        assert (answer.status_code, answer.headers.get("location"), answer.headers.get("set-cookie")) == (
            200,
            None,
            None,
        )
    assert (here.may_send(), here.may_send("club"), here.may_send("receipt")) == ("opted_out", "Clear", "Clear")
    assert len(here.captured("message.unsubscribed")) == 1


def test_to_ask_for_the_page_changes_nothing(post: Make) -> None:
    here = post()
    prepared = sent(here)
    answer = here.client().get(leave(prepared), headers={"accept-language": "fr"})
    assert answer.status_code == 200
    assert "Se désabonner" in answer.text
    assert here.may_send() == "Clear"


def test_the_button_of_the_page_leaves(post: Make) -> None:
    here = post()
    prepared = sent(here)
    answer = here.client().post(leave(prepared), data={})
    assert "You are unsubscribed" in answer.text
    assert here.may_send() == "opted_out"


def test_who_came_back_leaves_by_the_same_mail_again(post: Make) -> None:
    here = post()
    prepared = sent(here)
    here.client().post(leave(prepared), data=ONE_CLICK)
    here.clock.advance(60)
    with cxkit.scope(kit=here.kit):
        cxkit.prefer("news", "email", "granted", evidence="login", email=NANCY)
    assert here.may_send() == "Clear"
    here.clock.advance(60)
    here.client().post(leave(prepared), data=ONE_CLICK)
    assert here.may_send() == "opted_out"


def test_a_token_that_is_none_leaves_nothing(post: Make) -> None:
    here = post()
    prepared = sent(here)
    for wrong in ("x", leave(prepared).rpartition("/")[2][:-1] + "_"):
        assert here.client().post(f"/cx/u/{wrong}", data=ONE_CLICK).status_code == 404
    assert here.may_send() == "Clear"


# --- a visit that begins by a mail ----------------------------------------------------------------


def test_a_visit_says_by_which_mail_it_began(post: Make) -> None:
    here = post()
    here.allows("analytics")
    prepared = sent(here)
    client = here.client()
    client.post("/cx/consent", json={"choices": {"analytics": "granted"}}, headers={"sec-fetch-site": "same-origin"})
    client.get("/")
    landing = client.get(links(here, prepared)[0]).headers["location"]
    client.get(landing)
    viewed = here.captured("page.viewed")[-1]
    assert [(one.type, one.evidence) for one in viewed.identity.identifiers] == [
        ("visitor", "cookie"),
        ("email", "token"),
    ]
    client.get("/other")
    assert [one.type for one in here.captured("page.viewed")[-1].identity.identifiers] == ["visitor"]


def test_a_forwarded_mail_merges_nobody(post: Make) -> None:
    asked = ["analytics", "personalization", "identity_stitching"]
    here = post(tables={"web": {"asked": asked}})
    here.allows(*asked)
    with cxkit.scope(kit=here.kit, user_id="nancy", evidence="login"):
        cxkit.identify(email=NANCY, user_id="nancy")
    prepared = sent(here)
    bob = here.client()
    choices = {"choices": dict.fromkeys(asked, "granted")}
    assert bob.post("/cx/consent", json=choices, headers={"sec-fetch-site": "same-origin"}).status_code == 200
    bob.get(bob.get(links(here, prepared)[0]).headers["location"])
    visitor = here.captured("page.viewed")[-1].identity.get("visitor")
    with cxkit.scope(kit=here.kit, visitor=visitor.value, evidence="cookie"):
        cxkit.identify(user_id="bob")
    assert here.kit.flush(timeout_s=10).complete
    with cxkit.scope(kit=here.kit):
        nancys = {one.type for one in cxkit.disclose(user_id="nancy").identifiers}
        bobs = {one.type for one in cxkit.disclose(user_id="bob").identifiers}
    assert (nancys, bobs) == ({"user_id", "email"}, {"user_id", "visitor"})


def test_the_mark_of_a_visit_is_good_for_ten_minutes_and_no_other_is(post: Make) -> None:
    here = post()
    here.allows("analytics")
    client = here.client()
    client.post("/cx/consent", json={"choices": {"analytics": "granted"}}, headers={"sec-fetch-site": "same-origin"})
    landing = client.get(links(here, sent(here))[0]).headers["location"]
    here.clock.advance(601)
    for path in (landing, "/?cx_m=" + "A" * 64, "/?cx_m=", "/?cx_m=%00", "/?cx_m=" + "A" * 9_000):
        assert client.get(path).status_code == 200
    for viewed in here.captured("page.viewed"):
        assert viewed.identity.get("email") is None


# --- what the server says -------------------------------------------------------------------------


def test_a_refusal_of_the_server_is_a_bounce(post: Make) -> None:
    here = post()
    prepared = here.prepared()
    prepared.refused(Bounce(reason="user_unknown", status="5.1.1", smtp=550))
    assert here.may_send() == "hard_bounce"
    (bounced,) = here.captured("message.bounced")
    assert (bounced.properties["bounce"], bounced.properties["smtp"]) == ("hard", 550)


def test_an_app_without_webhooks_and_mailboxes_reads_none_of_their_code() -> None:
    code = """
import sys, cxkit_email, cxkit_email.channel, cxkit_email.sending
print(*(one for one in sys.modules if one.startswith(("cxkit_email.inbound", "cxkit_email.webhooks.inlet"))))
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == []
