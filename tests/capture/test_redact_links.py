"""Links without credentials, and without what brought somebody here (S10)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.capture.redact import Redactor


@pytest.mark.parametrize(
    ("url", "stripped"),
    [
        ("https://me:pw@shop.example/a", "https://shop.example/a"),
        ("https://a@b:c@shop.example", "https://shop.example"),
        ("http://u&x;y:p@shop.example/a?b=1", "http://shop.example/a?b=1"),
        ("HTTPS://me:pw@shop.example", "HTTPS://shop.example"),
        ("https://shop.example?token=abc", "https://shop.example"),
        ("https://shop.example/?token=abc&lang=fr#top", "https://shop.example/?lang=fr#top"),
        ("https://shop.example/?lang=fr&X-Api-Key=abc", "https://shop.example/?lang=fr"),
        ("https://shop.example/?lang=fr&%74oken=abc&p=2", "https://shop.example/?lang=fr&p=2"),
        ("https://shop.example/?a=1;token=x;b=2", "https://shop.example/?a=1;b=2"),
        ("https://shop.example/?token=x;b=2", "https://shop.example/?b=2"),
        ("https://shop.example/#access_token=abc&state=1", "https://shop.example/#state=1"),
        ("https://shop.example/#/reset?token=abc", "https://shop.example/#/reset"),
        ("https://shop.example/a;jsessionid=1A?b=2", "https://shop.example/a?b=2"),
        ("https://shop.example/?next=%2Freset%3Ftoken%3Dabc&b=2", "https://shop.example/?b=2"),
        (
            "https://shop.example/?next=https://x.example/?token=1",
            "https://shop.example/?next=https://x.example/",
        ),
    ],
)
def test_urls_lose_their_credentials(url: str, stripped: str) -> None:
    assert Redactor().strip_url(url) == stripped


@pytest.mark.parametrize(
    ("url", "stripped"),
    [
        ("https://shop.example/nuts?utm_source=x&lang=fr&gclid=abc", "https://shop.example/nuts?lang=fr"),
        ("https://shop.example/nuts?UTM_Source=x&ScCid=abc", "https://shop.example/nuts"),
        ("https://shop.example/nuts?fbclid=abc#utm_medium=mail&top=1", "https://shop.example/nuts#top=1"),
        ("https://shop.example/login?next=%2Fnuts%3Fmc_eid%3Dabc&lang=fr", "https://shop.example/login?lang=fr"),
        ("https://shop.example/login?next=https%253A%252F%252Fy%253Fgclid%253Dabc", "https://shop.example/login"),
        ("https://shop.example/p?gclid[]=x&gclid%5B%5D=x&gclid%20=x&gclid+=x&a=1", "https://shop.example/p?a=1"),
        ("https://shop.example/p?%67clid=x&%2567clid=x&a=1", "https://shop.example/p?a=1"),
        ("https://shop.example/p?irclickid=x&cjevent=x&_branch_match_id=x", "https://shop.example/p"),
        ("https://shop.example/p?a=%2525252525252525", "https://shop.example/p"),
        ("https://shop.example/p?sale=100%25&off=5%2525", "https://shop.example/p?sale=100%25&off=5%2525"),
    ],
)
def test_urls_lose_what_brought_somebody_here(url: str, stripped: str) -> None:
    assert Redactor().strip_url(url) == stripped


@pytest.mark.parametrize(
    ("link", "stripped"),
    [
        ("/p?gclid=abc", "/p"),
        ("/p?gclid=abc&page=2#top", "/p?page=2#top"),
        ("/p?token=abc", "/p"),
        ("/a;jsessionid=1A?b=2", "/a?b=2"),
        ("/#access_token=abc", "/"),
        ("?gclid=abc&a=1", "?a=1"),
        ("?gclid=abc", ""),
        ("#access_token=abc&state=1", "#state=1"),
        ("//shop.example/p?gclid=abc", "//shop.example/p"),
        ("//me:pw@shop.example/?a=1", "//shop.example/?a=1"),
        ("/login?next=https://me.example/?gclid=abc", "/login?next=https://me.example/"),
    ],
)
def test_links_within_a_site_are_links(link: str, stripped: str) -> None:
    assert Redactor().strip_url(link) == stripped


def test_what_brought_somebody_here_stays_if_an_operator_keeps_it() -> None:
    url = "https://shop.example/nuts?utm_source=x&gclid=abc"
    assert Redactor(keep=["utm_source"]).strip_url(url) == "https://shop.example/nuts?utm_source=x"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://",
        "https://shop.example/p/almonds?lang=fr&page_source=x&tokenizer=2#reviews",
        "https://shop.example/@handle?mail=me@shop.example",
        "https://shop.example/?token&a==&&b",
        "see https://me:pw@shop.example",
        "ftp://me:pw@shop.example",
        "httpx://token=1",
        "/nuts/almonds",
        "/nuts?page=2&sort=price#reviews",
        "? = what",
        "#1 in nuts",
        "//shop.example",
        "is it token=1?",
    ],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert Redactor().strip_url(text) == text


_tail = st.text(alphabet="?&;#=%/@ab%3F%3Dtoken:2", max_size=60)


@given(st.tuples(st.sampled_from(["http://", "https://", "//", "/", "?", "#"]), _tail).map("".join))
def test_law_stripping_twice_is_stripping_once(url: str) -> None:
    redactor = Redactor()
    once = redactor.strip_url(url)
    assert redactor.strip_url(once) == once
    assert len(once) <= len(url)


@given(
    st.lists(
        st.sampled_from(
            ["lang=fr", "p=2", "token=CANARY", "api_key=CANARY", "a=%3Fsecret%3DCANARY", "b=%253Fgclid%253DCANARY"]
        ),
        max_size=8,
    ),
    st.sampled_from("?#;"),
)
def test_law_no_secret_parameter_stays_and_no_other_goes(parameters: list[str], mark: str) -> None:
    stripped = Redactor().strip_url(f"https://CANARY:x@shop.example/a{mark}{'&'.join(parameters)}")
    assert "CANARY" not in stripped
    assert stripped.count("lang=fr") == parameters.count("lang=fr")
    assert stripped.count("p=2") == parameters.count("p=2")


@pytest.mark.parametrize("unit", ["?", "a=&", "%3D", "@", "token=1&", "%", ";;", "http://", "%25", "[", " "])
def test_a_megabyte_of_malice_is_no_trouble(unit: str) -> None:
    for begin in ("http://", "/?", "/?a="):
        hostile = begin + unit * (1_000_000 // len(unit))
        assert len(Redactor().strip_url(hostile)) <= len(hostile)
    assert Redactor().is_secret(unit * 100_000) is Redactor().is_secret(unit * 200)
