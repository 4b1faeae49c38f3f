"""Who opened or followed a message: by what requests say of themselves, and by all of them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any, get_args

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cxkit.model import Facts
from cxkit_email import verdict
from cxkit_email.verdict import Hit, Kind, Send, Sign, Verdict, hit_of, judge, revised

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SCANNERS = (ip_network("198.51.100.0/24"), ip_network("2001:db8:5ca::/48"))
WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
CHROME = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/142.0.0.0 Safari/537.36"
SAFARI = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"


def asked(headers: Mapping[str, str], *, method: str = "GET", ip: str | None = "203.0.113.7") -> Facts:
    return Facts(method=method, scheme="https", host="shop.example", path="/", headers=headers, client_ip=ip)


def signs(agent: str, *, kind: Kind = "open", method: str = "GET", ip: str | None = None, **headers: str) -> set[Sign]:
    facts = asked({"user-agent": agent, **headers}, method=method, ip=ip)
    return set(hit_of(facts, id="1", kind=kind, at=NOON, secret=b"a1", scanners=SCANNERS).signs)


def alone(agent: str, kind: Kind, **facts: Any) -> str:
    """What one such hit is, long after the message came."""
    return judge([Hit(id="1", kind=kind, at=NOON, link=0, signs=frozenset(signs(agent, kind=kind, **facts)))])[
        "1"
    ].actor


def hit(id: str, second: float, *seen: Sign, kind: Kind = "click", link: int | None = 0, who: str | None = None) -> Hit:
    at = NOON + timedelta(seconds=second)
    return Hit(id=id, kind=kind, at=at, link=link, signs=frozenset(seen or ("browser",)), who=who)


def actors(hits: Sequence[Hit], send: Send = Send()) -> dict[str, str]:
    return {id: one.actor for id, one in judge(hits, send).items()}


# --- one request ---


@pytest.mark.parametrize(
    ("agent", "opened", "clicked"),
    [
        # Those that fetch pictures for somebody
        (GMAIL, "proxy", "machine"),
        ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", "proxy", "machine"),
        ("Mozilla/5.0", "machine", "machine"),
        ("  mozilla/5.0 ", "machine", "machine"),
        # Programs that show mail; a link they give to a browser, which is what asks then
        (SAFARI, "human", "human"),
        (f"{IPHONE} Mobile/15E148", "human", "human"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.4.0", "human", "unknown"),
        ("Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; WOW64; Trident/7.0; ms-office; MSOffice 16)", "human",
         "unknown"),
        ("Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17328; Pro)", "human", "unknown"),
        ("MacOutlook/16.102.25100223 (Intel Mac OS X 15.6)", "human", "unknown"),
        ("Outlook-iOS/2.0", "human", "unknown"),
        (f"Mozilla/5.0 (Linux; Android 14; SM-S921B; wv) {WEBKIT} Version/4.0 Chrome/142.0.0.0 Mobile Safari/537.36",
         "human", "human"),  # Samsung's Email shows mail in the system's browser
        # Browsers
        (CHROME, "human", "human"),
        (f"{CHROME} Edg/142.0.0.0", "human", "human"),
        (f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Chrome/142.0.0.0 Mobile Safari/537.36", "human", "human"),
        (f"{SAFARI} Version/18.6 Safari/605.1.15", "human", "human"),
        (f"{IPHONE} Version/18.6 Mobile/15E148 Safari/604.1", "human", "human"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0", "human", "human"),
        ("Mozilla/5.0 (Android 15; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0", "human", "human"),
        ("Mozilla/5.0 (Windows NT 10.0; Trident/7.0; rv:11.0) like Gecko", "human", "human"),
        # Robots that say so; those of gateways mostly do not
        ("Barracuda Sentinel (EE)", "machine", "machine"),
        ("Mozilla/5.0 (compatible; Proofpoint URL Defense)", "machine", "machine"),
        ("Mimecast-URLProtect/1.0", "machine", "machine"),
        ("Microsoft Office Existence Discovery", "machine", "machine"),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "machine", "machine"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/116.0 Safari/537.36 "
         "bingbot/2.0", "machine", "machine"),
        ("Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", "machine", "machine"),
        ("python-requests/2.32.3", "machine", "machine"),
        ("curl/8.10.1", "machine", "machine"),
        (f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} HeadlessChrome/142.0.0.0 Safari/537.36", "machine", "machine"),
        ("", "machine", "machine"),
        ("   ", "machine", "machine"),
        # What says nothing
        ("okhttp/4.12.0", "unknown", "unknown"),
        ("Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/UP1A)", "unknown", "unknown"),
        ("Candy", "unknown", "unknown"),
    ],
)  # fmt: skip
def test_a_user_agent_and_nothing_else(agent: str, opened: str, clicked: str) -> None:
    assert (alone(agent, "open"), alone(agent, "click")) == (opened, clicked)


@pytest.mark.parametrize("agent", [CHROME, f"{CHROME} Edg/142.0.0.0"])
def test_scanners_that_say_they_are_a_browser_are_known_by_their_network(agent: str) -> None:
    """So do Safe Links, Proofpoint and Mimecast mostly: of the request alone they are people."""
    for ip in ("198.51.100.9", "::ffff:198.51.100.9", "2001:db8:5ca::1", "2001:db8:5ca::1%eth0"):
        assert alone(agent, "click", ip=ip) == "machine"
        assert alone(agent, "open", ip=ip) == "unknown"  # services fetch pictures from there for people, too
    for ip in ("198.51.101.9", None, "", "unknown", "198.51.100.9:443"):
        assert alone(agent, "click", ip=ip) == "human"


@pytest.mark.parametrize("name", ["sec-purpose", "purpose", "x-moz", "x-purpose"])
@pytest.mark.parametrize("said", ["prefetch", "prefetch;prerender", "preview", "Prefetch;anonymous-client-ip"])
def test_what_is_fetched_ahead_is_a_machines_and_never_engagement(name: str, said: str) -> None:
    facts = asked({"user-agent": CHROME, name: said})
    for kind in get_args(Kind):
        seen = judge([hit_of(facts, id="1", kind=kind, at=NOON, link=0, secret=b"a1")])["1"]
        assert (seen.actor, seen.reasons[0], seen.counts) == ("machine", "prefetch", False)


def test_who_asks_for_no_content_is_a_machine() -> None:
    assert signs(CHROME, method="HEAD") == {"browser", "head"}
    assert alone(CHROME, "click", method="HEAD") == "machine"


def test_a_missing_user_agent_is_one_that_is_empty() -> None:
    assert hit_of(asked({}), id="1", kind="open", at=NOON, secret=b"a1").signs == {"no_ua"}


def test_only_the_first_1024_characters_of_a_user_agent_are_looked_at() -> None:
    assert signs("Mozilla/5.0 (" + "x" * 1_012 + "HeadlessChrome/142") == set()
    assert signs("a" * 5_000_000 + "bot") == set()


def test_who_is_the_same_for_one_program_of_one_network_in_one_message_only() -> None:
    def who(ip: str | None, agent: str = CHROME, secret: bytes = b"a1") -> str | None:
        return hit_of(asked({"user-agent": agent}, ip=ip), id="1", kind="open", at=NOON, secret=secret).who

    assert who("203.0.113.7") == who("203.0.113.200") == who("::ffff:203.0.113.7")
    assert who("2001:db8:1::7") == who("2001:db8:1:ffff::1")
    others = [who("203.0.114.7"), who("203.0.113.7", SAFARI), who("203.0.113.7", secret=b"a2"), who("2001:db8:2::7")]
    assert len({who("203.0.113.7"), *others}) == 5
    assert who(None) is who("unknown") is None


def test_a_hit_holds_neither_address_nor_user_agent() -> None:
    seen = hit_of(asked({"user-agent": CHROME}), id="1", kind="open", at=NOON, secret=b"a1")
    assert not {"203.0.113", "Chrome", "Mozilla"} & {
        part for part in ("203.0.113", "Chrome", "Mozilla") if part in repr(seen)
    }


# --- all of them together ---


@pytest.mark.parametrize(
    ("kind", "after", "actor"),
    [("click", 0, "unknown"), ("click", 9.9, "unknown"), ("click", 10, "human"), ("open", 0, "unknown"),
     ("open", 1.9, "unknown"), ("open", 2, "human"), ("click", -9, "unknown"), ("click", -10, "human")],
)  # fmt: skip
def test_too_fast_after_it_was_sent_or_delivered_is_suspicious(kind: Kind, after: float, actor: str) -> None:
    for send in (
        Send(sent_at=NOON),
        Send(delivered_at=NOON),
        Send(sent_at=NOON - timedelta(hours=1), delivered_at=NOON),
    ):
        assert actors([hit("1", after, kind=kind)], send) == {"1": actor}


def test_a_proxy_that_is_too_fast_fetches_for_nobody_yet() -> None:
    seen = judge([hit("1", 1, "proxy_gmail", kind="open")], Send(delivered_at=NOON))["1"]
    assert (seen, seen.counts) == (Verdict("unknown", ("too_fast", "proxy_gmail")), False)


def test_a_honeypot_taints_what_is_within_10_seconds_of_it_and_nothing_else() -> None:
    hits = [hit(str(at), at) for at in (-11, -10, 0, 10, 11)] + [hit("open", 3, "proxy_gmail", kind="open")]
    assert set(actors([*hits, hit("trap", 0, link=99)]).values()) == {"human", "proxy"}  # nobody said that it is one
    found = actors([*hits, hit("trap", 0, link=99)], Send(hidden=frozenset([99])))
    assert {id for id, actor in found.items() if actor == "machine"} == {"-10", "0", "10", "trap", "open"}


def test_three_links_within_5_seconds_are_a_burst() -> None:
    three = [hit("a", 0, link=0), hit("b", 4, link=1), hit("c", 5, link=2)]
    assert set(actors([*three, hit("d", 60, link=0)]).items()) == {
        ("a", "machine"), ("b", "machine"), ("c", "machine"), ("d", "human"),
    }  # fmt: skip
    assert judge(three)["a"].reasons == ("burst", "browser")
    assert set(actors([*three[:2], hit("c", 5.1, link=2)]).values()) == {"human"}
    assert set(actors([*three[:2], hit("c", 5, link=1), hit("d", 5, link=None)]).values()) == {"human"}


def test_a_burst_of_many_is_one_as_a_whole() -> None:
    assert set(actors([hit(str(at), at / 2, link=at % 5) for at in range(40)]).values()) == {"machine"}


def test_two_bursts_are_two_and_who_clicks_between_them_is_in_neither() -> None:
    hits = [hit(f"{start}-{link}", start + link, link=link) for start in (0, 100) for link in range(3)]
    found = actors([*hits, hit("between", 50, link=1)])
    assert {id for id, actor in found.items() if actor != "machine"} == {"between"}


def test_all_links_within_a_minute_are_a_burst_if_there_are_three() -> None:
    four = [hit(str(link), link * 19, link=link) for link in range(4)]
    assert set(actors(four, Send(links=4)).values()) == {"machine"}
    assert set(actors(four, Send(links=5)).values()) == {"human"}
    assert set(actors(four[:3], Send(links=4)).values()) == {"human"}
    assert set(actors([*four[:3], hit("slow", 61, link=3)], Send(links=4)).values()) == {"human"}  # who reads all
    assert set(actors(four[:3], Send(links=3)).values()) == {"machine"}
    assert set(actors(four[:2], Send(links=2)).values()) == {"human"}
    found = actors([*four[:2], hit("trap", 59, link=9)], Send(links=3, hidden=frozenset([9])))
    assert found == {"0": "human", "1": "human", "trap": "machine"}  # that is not one of three that can be seen


def test_what_the_program_of_a_burst_opened_is_its_own() -> None:
    burst = [hit(str(link), 30 + link, link=link, who="scanner") for link in range(3)]
    opens = [hit(who, 29, kind="open", link=None, who=who) for who in ("scanner", "nancy")]
    late = hit("late", 60, kind="open", link=None, who="scanner")
    unknown = hit("unknown", 30, kind="open", link=None)
    assert actors([*burst, *opens, late, unknown]) == {
        **dict.fromkeys("012", "machine"), "scanner": "machine", "nancy": "human", "late": "human", "unknown": "human",
    }  # fmt: skip


def test_an_open_and_a_click_in_the_same_second_are_nancys() -> None:
    assert actors([hit("open", 30, kind="open", link=None, who="nancy"), hit("click", 30.2, who="nancy")]) == {
        "open": "human", "click": "human",
    }  # fmt: skip


def test_who_is_confirmed_stays_human_whatever_comes_and_nobody_else_becomes_it() -> None:
    burst = [hit(str(link), link, link=link) for link in range(3)]
    confirmed = attrs.evolve(burst[0], signs=frozenset[Sign](["js_confirmed"]))
    found = judge([*burst, confirmed, hit("trap", 1, link=9)], Send(sent_at=NOON, hidden=frozenset([9])))
    assert {id: one.actor for id, one in found.items()} == {
        "0": "human",
        "1": "machine",
        "2": "machine",
        "trap": "machine",
    }
    assert found["0"].reasons[:2] == ("js_confirmed", "browser")
    assert set(found["0"].reasons) == {"js_confirmed", "honeypot", "burst", "too_fast", "browser"}


# --- revised ---


def test_a_honeypot_revises_the_click_before_it() -> None:
    first, trap = hit("1", 0), hit("2", 6, link=99)
    send = Send(hidden=frozenset([99]))
    told = judge([first], send)
    assert told["1"].actor == "human"
    assert revised([first, trap], send, told=told) == {"1": Verdict("machine", ("honeypot", "browser"))}


def test_a_burst_revises_its_beginning_and_a_confirmation_takes_it_back() -> None:
    hits = [hit(str(link), link, link=link) for link in range(3)]
    told = judge(hits[:2])
    assert {id: one.actor for id, one in revised(hits, Send(), told=told).items()} == {"0": "machine", "1": "machine"}
    confirmed = attrs.evolve(hits[1], signs=frozenset[Sign](["js_confirmed"]))
    assert {*revised([*hits, confirmed], Send(), told=judge(hits))} == {"1"}


def test_that_it_was_delivered_later_than_known_revises_too() -> None:
    seen, send = [hit("1", 605)], Send(sent_at=NOON)
    told = judge(seen, send)
    late = attrs.evolve(send, delivered_at=NOON + timedelta(seconds=600))
    assert revised(seen, late, told=told)["1"].reasons == ("too_fast", "browser")


def test_more_reasons_for_the_same_revise_nothing() -> None:
    hits = [hit(str(link), link, "bot_ua", link=link) for link in range(3)]
    assert revised(hits, Send(), told=judge(hits[:1])) == {}


# --- laws ---

SIGNS = get_args(Sign)
MACHINES = ("honeypot", "prefetch", "head", "no_ua", "bot_ua", "apple_mpp_like", "scanner_net", "too_fast", "burst")
hits_of_a_message = st.lists(
    st.builds(
        hit,
        st.sampled_from("abcdefgh"),
        st.sampled_from([0, 1, 2, 4, 5, 6, 9, 10, 11, 30, 59, 60, 61]),
        st.sampled_from(SIGNS),
        kind=st.sampled_from(get_args(Kind)),
        link=st.none() | st.integers(0, 4),
        who=st.none() | st.sampled_from("xy"),
    ),
    max_size=12,
)
apart = hits_of_a_message.map(lambda hits: [attrs.evolve(one, id=str(at)) for at, one in enumerate(hits)])
moments = st.none() | st.sampled_from([NOON + timedelta(seconds=one) for one in (0, 5, 30)])
sends = st.builds(
    Send, sent_at=moments, delivered_at=moments, links=st.integers(0, 4), hidden=st.frozensets(st.just(4), max_size=1)
)


@given(hits_of_a_message, sends, st.randoms())
def test_the_order_in_which_hits_come_changes_nothing(hits: list[Hit], send: Send, random: Any) -> None:
    others = list(hits)
    random.shuffle(others)
    assert judge(others, send) == judge(hits, send) == judge([*hits, *others], send)


@given(hits_of_a_message, sends)
def test_what_was_told_and_then_revised_is_what_all_of_them_say(hits: list[Hit], send: Send) -> None:
    told: dict[str, Verdict] = {}
    for count in range(1, len(hits) + 1):
        told |= revised(hits[:count], send, told=told)
        latest = hits[count - 1].id
        told.setdefault(latest, judge(hits[:count], send)[latest])
    assert {id: one.actor for id, one in told.items()} == actors(hits, send)


@given(apart, sends, st.sampled_from(MACHINES), st.data())
def test_a_machines_sign_more_makes_nobody_human(hits: list[Hit], send: Send, sign: Sign, data: st.DataObject) -> None:
    before = judge(hits, send)
    marked = data.draw(st.sets(st.sampled_from([one.id for one in hits]))) if hits else set()
    after = judge([attrs.evolve(one, signs=one.signs | {sign}) if one.id in marked else one for one in hits], send)
    for id, one in after.items():
        assert not (one.counts and not before[id].counts)
        if "js_confirmed" in before[id].reasons:
            assert one.actor == "human"


@given(apart, apart, sends)
def test_a_hit_more_makes_nobody_human_who_was_not(hits: list[Hit], more: list[Hit], send: Send) -> None:
    before = judge(hits, send)
    after = judge([*hits, *(attrs.evolve(one, id=f"more {one.id}") for one in more)], send)
    assert all(before[id].actor == "human" or after[id].actor != "human" for id in before)


def test_the_table_in_the_docstring_is_the_one_that_decides() -> None:
    rows = [line.split() for line in (verdict.__doc__ or "").splitlines() if line.startswith("``")]
    table = {name.strip("`"): (opened, clicked) for name, opened, clicked, *_ in rows}
    assert table == {
        sign: tuple(judge([hit("1", 99, sign, kind=kind)])["1"].actor for kind in get_args(Kind)) for sign in SIGNS
    }
    assert tuple(table) == SIGNS


@given(
    st.text(), st.dictionaries(st.sampled_from(["sec-purpose", "purpose", "x-moz"]), st.text()), st.text(), st.text()
)
@example("\ud800", {"purpose": "\udfff"}, "1" * 100_000, "\ud800")
def test_no_text_raises(agent: str, headers: dict[str, str], ip: str, method: str) -> None:
    facts = asked({**headers, "user-agent": agent}, method=method, ip=ip)
    seen = hit_of(facts, id="1", kind="click", at=NOON, link=0, secret=b"a1", scanners=SCANNERS)
    assert judge([seen])["1"].actor in {"human", "machine", "unknown"}
