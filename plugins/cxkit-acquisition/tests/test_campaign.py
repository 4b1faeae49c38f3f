"""What is written on a link: campaigns and click ids; and what nobody should have written there."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.codec.wire import circumstances
from cxkit.model import Context, Identity
from cxkit.model.context import CLICK_IDS
from cxkit_acquisition import campaign
from cxkit_acquisition.campaign import MAX_CHARS, VENDORS, read

UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")


def test_a_campaign_in_lower_case(came: Any) -> None:
    found = came(
        query="utm_source=News&utm_medium=E-Mail&utm_campaign=Spring+Sale&utm_term=Nuts&utm_content=Top%20Link"
    )
    assert (found.source, found.medium, found.campaign, found.term, found.content) == (
        "news", "email", "spring sale", "nuts", "top link",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("written", "medium"),
    [
        ("cpc", "paid"), ("PPC", "paid"), ("paid-social", "paid"), ("Paid_Search", "paid"), ("display", "paid"),
        ("affiliate", "paid"), ("email", "email"), ("Newsletter", "email"), ("social-media", "social"),
        ("organic", "search"), ("referral", "referral"), ("ai-assistant", "ai_assistant"), ("qr", "qr"), ("SMS", "sms"),
        ("(none)", None), ("(not set)", None),
    ],
)  # fmt: skip
def test_what_marketing_writes_for_a_medium_is_one_of_ours_or_stays(
    came: Any, written: str, medium: str | None
) -> None:
    assert came(query=f"utm_source=x&utm_medium={written}").medium == medium


def test_a_source_that_is_a_known_site_tells_the_medium(came: Any) -> None:
    found = came(query="utm_source=chatgpt.com")
    assert (found.source, found.medium) == ("chatgpt", "ai_assistant")
    assert came(query="utm_source=L.Facebook.com&utm_medium=paid").source == "facebook"


def test_a_campaigns_id_is_kept_nowhere(came: Any) -> None:
    """Many write a recipient's there."""
    assert "8842" not in str(came(query="utm_source=x&utm_id=u-8842"))
    assert came(query="utm_id=u-8842").medium == "direct"


def test_what_an_assistant_writes_on_its_links(came: Any) -> None:
    for written, source in (
        ("chatgpt.com", "chatgpt"),
        ("copilot.com", "copilot"),
        ("www.perplexity.ai", "perplexity"),
    ):
        found = came(query=f"utm_source={written}")
        assert (found.source, found.medium) == (source, "ai_assistant")
    assert came(query="utm_source=Perplexity").medium == "ai_assistant"
    assert came(query="utm_source=perplexity&utm_medium=cpc").medium == "paid"
    assert came(query="utm_source=google").medium is None  # as an advertisement, or not: who knows
    found = came("https://chatgpt.com/", "utm_source=chatgpt.com")
    assert (found.source, found.medium, found.referrer) == ("chatgpt", "ai_assistant", "chatgpt.com")


def test_what_the_link_says_goes_before_where_it_stood(came: Any) -> None:
    found = came("https://www.google.com/", "utm_source=partner&utm_medium=referral")
    assert (found.source, found.medium, found.referrer) == ("partner", "referral", "google.com")


def test_where_the_link_is_silent_the_site_speaks(came: Any) -> None:
    found = came("https://www.google.com/", "utm_campaign=spring")
    assert (found.source, found.medium, found.campaign) == ("google", "search", "spring")


# --- click ids ---


@pytest.mark.parametrize("name", CLICK_IDS)
def test_each_click_id_names_its_vendor(came: Any, name: str) -> None:
    found, vendor = came(query=f"page=1&{name}=Abc-123_xyz"), CLICK_IDS[name]
    source = "instagram" if name == "igshid" else VENDORS[vendor].source
    assert (found.vendor, found.medium, found.source) == (vendor, VENDORS[vendor].medium, source)
    assert found.click_id == (None if name == "mc_cid" else "Abc-123_xyz")


def test_every_vendor_of_the_core_is_known_and_no_other() -> None:
    assert set(VENDORS) == set(CLICK_IDS.values())


@pytest.mark.parametrize("name", [*CLICK_IDS, *UTM])
def test_no_name_is_overlooked(name: str) -> None:
    assert read(f"{name.upper()}=abcd-1234") is not None


def test_a_click_id_goes_before_what_is_written(came: Any) -> None:
    found = came("https://news.example/", "gclid=Cj0KCQiA&utm_source=news&utm_medium=email&utm_campaign=spring")
    assert (found.source, found.medium, found.campaign, found.click_id) == ("google", "paid", "spring", "Cj0KCQiA")


def test_a_click_id_that_comes_with_any_link_says_less_than_the_link(came: Any) -> None:
    found = came("https://l.facebook.com/", "fbclid=IwAR0abc&utm_source=spring-post&utm_medium=cpc")
    assert (found.source, found.medium, found.vendor) == ("spring-post", "paid", "meta")
    found = came("https://l.facebook.com/", "fbclid=IwAR0abc")
    assert (found.source, found.medium, found.vendor) == ("facebook", "social", "meta")


def test_its_name_in_any_case(came: Any) -> None:
    assert came(query="ScCid=abcd-1234").vendor == "snap"
    assert came(query="UTM_SOURCE=x").source == "x"


@pytest.mark.parametrize(
    "value", ["", "a", "%3Cscript%3E", "nancy%40example.com", "a%00b", "%FF%FE", "x" * 600, "a b c d"]
)
def test_what_is_no_click_id_is_none(came: Any, value: str) -> None:
    found = came(query=f"gclid={value}")
    assert (found.vendor, found.click_id, found.medium) == (None, None, "direct")


# --- what nobody should have written ---


def test_a_megabyte_of_query(came: Any) -> None:
    assert came(query="utm_source=news&x=" + "y" * 1_000_000).source == "news"
    assert came(query="x=" + "y" * 1_000_000 + "&utm_source=news").medium == "direct"
    assert came(query="utm_source=" + "y" * 1_000_000).medium == "direct"  # who knows how it goes on


def test_ten_thousand_parameters(came: Any) -> None:
    many = "&".join(f"p{number}=1" for number in range(10_000))
    assert came(query=f"utm_source=news&{many}").source == "news"
    assert came(query=f"{many}&utm_source=news").medium == "direct"


def test_ten_thousand_of_one_parameter(came: Any) -> None:
    assert came(query="&".join(f"utm_source=n{number}" for number in range(10_000))).source == "n0"


def test_html_is_text(came: Any) -> None:
    found = came(query="utm_source=%3Cscript%3Ealert(1)%3C%2Fscript%3E&utm_campaign=%22%3E%3Cimg+src%3Dx%3E")
    assert (found.source, found.campaign) == ("<script>alert(1)</script>", '"><img src=x>')


def test_html_goes_out_as_json_does(came: Any) -> None:
    """Whoever writes it into a page escapes it, as any text; here it is kept as it was."""
    found = came(query="utm_source=%3C%2Fscript%3E%0A%22")
    told = circumstances(identity=Identity(), context=Context(acquisition=found), consent={})
    assert b'"</script> \\""' in told


def test_percent_bombs_are_decoded_once(came: Any) -> None:
    assert came(query="utm_source=" + "%25" * 200).source == "%" * 200
    assert came(query="utm_source=%2525252541").source == "%25252541"
    assert came(query="utm_source=" + "%" * 500).source == "%" * MAX_CHARS
    assert came(query="utm_source=%zz%4").source == "%zz%4"


@pytest.mark.parametrize("value", ["%FF%FE", "caf%E9", "%C3", "%ED%A0%80", "\ud800", "\u20ac"])
def test_what_is_not_utf_8_is_no_value(came: Any, value: str) -> None:
    assert came(query=f"utm_source={value}&utm_medium=email&utm_campaign=%C3%A9t%C3%A9").source is None
    assert came(query=f"utm_source={value}&utm_campaign=%C3%89t%C3%A9").campaign == "\u00e9t\u00e9"


def test_letters_that_came_as_they_are(came: Any) -> None:
    """As servers hand them over: bytes read as Latin-1."""
    assert came(query="utm_source=" + "caf\u00e9".encode().decode("latin-1")).source == "caf\u00e9"


def test_what_does_not_show_is_left_out(came: Any) -> None:
    found = came(query="utm_source=%00a%0D%0Ab%E2%80%AEc%EF%BB%BF%20&utm_medium=%20")
    assert (found.source, found.medium) == ("a b c", None)


def test_of_a_source_that_comes_twice_the_first_holds(came: Any) -> None:
    assert came(query="utm_source=first&utm_source=second&UTM_SOURCE=third").source == "first"
    assert came(query="utm_source=&utm_source=second").source == "second"


def test_a_long_value_is_cut(came: Any) -> None:
    assert came(query="utm_source=x&utm_campaign=" + "a" * 999).campaign == "a" * MAX_CHARS
    assert came(query="utm_source=x&utm_campaign=" + "%F0%9F%8E%81" * 999).campaign == "\U0001f381" * MAX_CHARS


@pytest.mark.parametrize(
    "address",
    [
        "nancy@example.com", "nancy%40example.com", "NANCY%40EXAMPLE.COM", "nancy%2540example.com",
        "to+nancy@example.com",
        "mailto%3Anancy%40example.com", "%3Cnancy@example.com%3E", "nancy@localhost", "x" * 300 + "+nancy@example.com",
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", UTM)
def test_an_e_mail_address_is_dropped(came: Any, name: str, address: str) -> None:
    kept = "utm_term" if name != "utm_term" else "utm_content"
    found = came(query=f"{name}={address}&{kept}=kept")
    assert "kept" in (found.term, found.content)
    assert "nancy" not in str(found).lower()


@pytest.mark.parametrize("before", ["a" * (MAX_CHARS - 10), "+" * 1020, "%00" * 800, "%F0%9F%8E%81" * (MAX_CHARS - 5)])
def test_an_address_cut_in_two_is_dropped_whole(came: Any, before: str) -> None:
    found = came(query=f"utm_source={before}+nancy.nuts@example.com")
    assert found is None or found.source is None


def test_no_pattern_is_asked_of_more_than_1024_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Counting:
        def search(self, text: str) -> None:
            asked.append(len(text))

        fullmatch = search

    for pattern in ("_AT", "_CLICK_ID"):
        monkeypatch.setattr(campaign, pattern, Counting())
    for name in ("utm_source", "gclid"):
        for size in (300, 1024, 3000, 9000):
            read(f"{name}={'a' * size}")
    assert asked
    assert max(asked) <= 1024


@given(st.text(max_size=400) | st.binary(max_size=400).map(lambda raw: raw.decode("latin-1")))
def test_law_no_query_raises_and_no_value_is_long(query: str) -> None:
    for text in (query, f"utm_source={query}", f"gclid={query}&utm_medium={query}"):
        found = read(text)
        for value in found[:-1] if found else ():
            assert value is None or (0 < len(value) <= MAX_CHARS and value == value.lower() and value.isprintable())
