"""Letters from templates: what they say, in which language, and what no variable can make them say."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from email.headerregistry import Address
from email.message import EmailMessage
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jinja2 import DictLoader

import cxkit
from cxkit.errors import CXError, DeclarationError, InvalidInteractionError, MissingDependencyError
from cxkit.testing import recorder
from cxkit_email.templates import Templates

SHOP = "Candy Haven <shop@candy.example>"
NANCY = "nancy@candy.test"
MJML = (
    '<mjml lang="{{{{ language }}}}"><mj-head><mj-title>Hello {{{{ name }}}}</mj-title></mj-head><mj-body>'
    "<mj-section><mj-column><mj-text>{}</mj-text></mj-column></mj-section></mj-body></mjml>"
)


@pytest.fixture
def letters(tmp_path: Path) -> Callable[..., Templates]:
    """The letters of a directory, with these files."""

    def made(files: Mapping[str, str], **settings: Any) -> Templates:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
        return Templates(tmp_path, **{"sender": SHOP, **settings})

    return made


def html_of(message: EmailMessage) -> str:
    body = message.get_body(["html"])
    assert body is not None
    return str(body.get_content())


def text_of(message: EmailMessage) -> str:
    body = message.get_body(["plain"])
    assert body is not None
    return str(body.get_content())


def tags_of(html: str) -> set[str]:
    tags: set[str] = set()
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: tags.add(tag)  # type: ignore[method-assign]  # a parser of one method
    parser.feed(html)
    return tags


def refused(templates: Templates, name: str = "a", **given: Any) -> CXError:
    with pytest.raises((DeclarationError, InvalidInteractionError)) as caught:
        templates.message(name, **{"to": NANCY, **given})
    assert NANCY not in str(caught.value)
    return caught.value


# --- a letter ---


def test_a_letter_has_a_subject_two_parts_and_one_recipient(letters: Callable[..., Templates]) -> None:
    files = {"a.html": "<title>Your\n  order {{ number }}</title><p>It <b>left</b>.", "a.txt": "{{ number }} left."}
    message = letters(files).message("a", to=f"Nancy <{NANCY}>", number="A&1")
    assert message["Subject"] == "Your order A&1"
    assert (message["To"], message["From"]) == (f"Nancy <{NANCY}>", SHOP)
    assert message.get_content_type() == "multipart/alternative"
    assert text_of(message) == "A&1 left.\n"
    assert "<p>It <b>left</b>.</p>" in html_of(message)
    assert message["Content-Language"] == "en"


def test_without_a_text_one_is_made_of_the_html(letters: Callable[..., Templates]) -> None:
    message = letters({"a.html": "<title>A</title><p>It <b>left</b>, {{ name }}.</p>"}).message(
        "a", to=NANCY, name="Nancy & Sons"
    )
    assert "It left, Nancy & Sons." in text_of(message)


def test_styles_are_written_into_the_elements_and_media_queries_stay(letters: Callable[..., Templates]) -> None:
    style = "<style>p {color: red} @media (max-width: 9em) {p {color: blue}}</style>"
    html = html_of(letters({"a.html": f"<title>A</title>{style}<p>x</p>"}).message("a", to=NANCY))
    assert '<p style="color: red;">x</p>' in html
    assert "@media (max-width: 9em)" in html


def test_nothing_is_fetched_for_a_letter(letters: Callable[..., Templates], tmp_path: Path) -> None:
    (tmp_path / "secret.css").write_text("p {color: red}")
    links = "".join(
        f'<link rel="stylesheet" href="{one}">' for one in ("http://127.0.0.1:9/a.css", tmp_path / "secret.css")
    )
    html = html_of(letters({"a.html": f"<title>A</title>{links}<p>x</p>"}).message("a", to=NANCY))
    assert "red" not in html


def test_a_letter_is_from_whoever_is_said(letters: Callable[..., Templates]) -> None:
    files = {"a.html": "<title>A</title>"}
    assert letters(files).message("a", to=NANCY, sender="desk@candy.example")["From"] == "desk@candy.example"
    assert refused(letters(files, sender=None)).code == "CX9257"


def test_a_subject_of_ones_own(letters: Callable[..., Templates]) -> None:
    assert letters({"a.html": "<p>x"}).message("a", to=NANCY, subject="Ours, 100 €")["Subject"] == "Ours, 100 €"


def test_without_a_subject_there_is_no_letter(letters: Callable[..., Templates]) -> None:
    for html in ("<p>x", "<title> \n </title>", "<body><svg><title>icon</title></svg>", ""):
        assert refused(letters({"a.html": html})).code == "CX9256"


def test_a_decision_is_a_variable_like_others(letters: Callable[..., Templates]) -> None:
    offer = cxkit.Decision(experience="offer", variant="box", content={"text": "A box", "off": 10}, form={"bold": True})
    html = "<title>{{ offer.variant }}</title>{% if offer.form.bold %}<b>{{ offer.content.text }}</b>{% endif %}"
    message = letters({"a.html": html}).message("a", to=NANCY, offer=offer)
    assert message["Subject"] == "box"
    assert "<b>A box</b>" in html_of(message)
    plain = cxkit.Decision(experience="offer", variant="all", content="Two for <one>")
    said = letters({"b.html": "<title>{{ offer }}</title><p>{{ offer }}"}).message("b", to=NANCY, offer=plain)
    assert (said["Subject"], "Two for &lt;one&gt;" in html_of(said)) == ("Two for <one>", True)


def test_a_name_may_be_a_variable_and_letters_may_stand_in_directories(letters: Callable[..., Templates]) -> None:
    templates = letters({"orders/sent.html": "{% extends 'layout.html' %}{% block title %}{{ name }}{% endblock %}",
                         "layout.html": "<title>{% block title %}{% endblock %}</title>"})  # fmt: skip
    assert templates.message("orders/sent", to=NANCY, name="Nancy")["Subject"] == "Nancy"


def test_letters_may_come_of_a_loader() -> None:
    templates = Templates(DictLoader({"a.html": "<title>{{ b }}</title>"}), sender=SHOP)
    assert templates.message("a", to=NANCY, b="B")["Subject"] == "B"
    assert refused(templates).what == 'a.html, line 1, asks for "b", which is not given'


def test_what_is_changed_is_seen_at_once(letters: Callable[..., Templates], tmp_path: Path) -> None:
    templates = letters({"a.html": "<title>A</title>"})
    templates.message("a", to=NANCY)
    (tmp_path / "a.html").write_text("<title>B</title>")
    os.utime(tmp_path / "a.html", (1, 1))
    assert templates.message("a", to=NANCY)["Subject"] == "B"


# --- languages ---

SPOKEN = {"a.html": "<title>Hello</title>", "a.fr.html": "<title>Bonjour</title>", "a.txt": "Hello in text",
          "a.pt-BR.html": "<title>Oi</title>", "b.de.html": "<title>Guten Tag</title>"}  # fmt: skip


@pytest.mark.parametrize(
    ("locale", "subject"),
    [("fr", "Bonjour"), ("fr-CA", "Bonjour"), ("FR_be", "Bonjour"), ("fr-Latn-FR-x-nancy", "Bonjour"), ("en", "Hello"),
     ("en-GB", "Hello"), ("de", "Hello"), ("pt-BR", "Oi"), ("pt-PT", "Hello"), ("", "Hello"), ("\r\nBcc: x", "Hello"),
     ("../../etc/passwd", "Hello"), ("fr" + "-x" * 100_000, "Bonjour")],
)  # fmt: skip
def test_a_letter_is_in_the_language_they_read(locale: str, subject: str, letters: Callable[..., Templates]) -> None:
    assert letters(SPOKEN).message("a", to=NANCY, locale=locale)["Subject"] == subject


def test_the_text_is_in_the_language_of_the_html(letters: Callable[..., Templates]) -> None:
    templates = letters(SPOKEN | {"a.fr.html": "<title>Bonjour</title><p>En HTML"})
    assert text_of(templates.message("a", to=NANCY, locale="en")) == "Hello in text\n"
    french = templates.message("a", to=NANCY, locale="fr")
    assert (french["Content-Language"], "En HTML" in text_of(french)) == ("fr", True)


def test_a_letter_that_is_in_one_language_only_is_in_that(letters: Callable[..., Templates]) -> None:
    message = letters(SPOKEN).message("b", to=NANCY, locale="fr")
    assert (message["Subject"], message["Content-Language"]) == ("Guten Tag", "de")


def test_without_a_locale_it_is_the_language_of_the_customer_of_this_scope(letters: Callable[..., Templates]) -> None:
    templates = letters(SPOKEN)
    with recorder():
        with cxkit.scope(channel="email", locale="fr"):
            assert templates.message("a", to=NANCY)["Subject"] == "Bonjour"
        with cxkit.scope(channel="email", locale="pt"):
            assert templates.message("a", to=NANCY)["Subject"] == "Oi"


def test_letters_whose_names_say_no_language_are_in_the_one_that_is_given(letters: Callable[..., Templates]) -> None:
    files = {"a.html": "<html lang={{ language }}><title>Bonjour</title>", "a.en.html": "<title>Hello</title>"}
    templates = letters(files, language="fr")
    message = templates.message("a", to=NANCY, locale="it")
    assert (message["Content-Language"], 'lang="fr"' in html_of(message)) == ("fr", True)


# --- MJML ---


def test_mjml_becomes_html_and_braces_survive(letters: Callable[..., Templates]) -> None:
    loop = '{% for one in sweets %}<b>{{ one|default("x") }}</b><br>&nbsp;{% endfor %}'
    message = letters({"a.mjml": MJML.format(loop)}).message("a", to=NANCY, name="Nancy", sweets=["A & B", "C"])
    html = html_of(message)
    assert "<b>A &amp; B</b><br>&nbsp;<b>C</b>" in html
    assert (message["Subject"], '<html lang="en"' in html) == ("Hello Nancy", True)
    assert not [one for one in ("<mj-", "{{", "{%", "googleapis") if one in html]
    assert "A & B" in text_of(message)


@pytest.mark.parametrize(
    ("source", "line", "what"),
    [
        (MJML.format("\n\n<b>x"), 3, ""),
        (MJML.format("&nbsp;\n<b>x"), 2, ""),
        (MJML.format("\n</mj-txt>"), 2, ""),
        (MJML.format("\n{% if 1 < 2 %}x{% endif %}"), 2, ""),
        ("<mjml><mj-body>\n\n<mj-sektion></mj-sektion></mj-body></mjml>", 3, "there is no <mj-sektion> here"),
        ("<mjml><mj-body>\n<mj-include path='/etc/passwd' /></mj-body></mjml>", 2, "unable to load included template"),
        ("<mjml><mj-body>\n<mj-include path='http://127.0.0.1:9/' /></mj-body></mjml>", 2, "unable to load"),
        (MJML.format("\n{% fro x in y %}"), 2, "Encountered unknown tag 'fro'"),
        ("<p>Hello</p>", None, "mjml"),
        ("", None, ""),
    ],
)
def test_what_is_no_mjml_says_where(
    source: str, line: int | None, what: str, letters: Callable[..., Templates]
) -> None:
    error = refused(letters({"a.mjml": source.replace("{{{{", "{{").replace("}}}}", "}}")}), name="a")
    assert error.code == "CX9253"
    assert error.what.startswith("a.mjml" if line is None else f"a.mjml, line {line},")
    assert what in error.what


def test_a_variable_that_is_missing_in_mjml_is_named(letters: Callable[..., Templates]) -> None:
    assert refused(letters({"a.mjml": MJML.format("x")})).what == 'a.mjml asks for "name", which is not given'


# --- what customers write stays text ---

TEMPLATE_SYNTAX = [
    "{{ 7*7 }}", "{% include 'secret.txt' %}", "{% for x in range(99) %}x{% endfor %}", "${7*7}", "#{7*7}", "<%= 7 %>",
    "{{ ''.__class__.__mro__ }}", "{# gone #}", "%(to)s", "{to}", "<mj-include path='/etc/passwd'/>", "{{{{raw}}}}",
]  # fmt: skip
HTML = [
    "<i>bold</i>", "</title><script>alert(1)</script>", "--><img src=x>", '"><a href="https://evil.example">', "&lt;",
    "</style></b>", "<![endif]-->",
]  # fmt: skip


@pytest.mark.parametrize("name", TEMPLATE_SYNTAX + HTML)
@pytest.mark.parametrize("file", ["a.html", "a.mjml"])
def test_template_syntax_and_markup_in_a_customers_name_stay_text(
    name: str, file: str, letters: Callable[..., Templates]
) -> None:
    """B77."""
    source = MJML.format("<b>{{ name }}</b>") if file == "a.mjml" else (
        '<title>Hello {{ name }}</title><!-- {{ name }} --><b title="{{ name }}">{{ name }}</b>'
    )  # fmt: skip
    message = letters({file: source, "a.txt": "[{{ name }}]", "secret.txt": "secret"}).message(
        "a", to=Address(name, addr_spec=NANCY), name=name
    )
    assert message["Subject"] == f"Hello {name}"
    assert text_of(message) == f"[{name}]\n"
    html = html_of(message)
    shown = escape(name, quote=False)
    assert html.count(f"<b>{shown}</b>") + html.count(f'">{shown}</b>') == 1
    assert tags_of(html) <= {*"html head title meta style body div table tbody tr td b".split()}
    (to,) = message["To"].addresses
    assert (to.display_name, to.addr_spec) == (name, NANCY)


@pytest.mark.parametrize(
    "name", ["Nancy\r\nBcc: eve@evil.example", "Nancy\nX: y", "Nancy\x0b\x1c\x85\u2028\x00\x7fX: y"]
)
def test_line_ends_in_a_customers_name_reach_no_header(name: str, letters: Callable[..., Templates]) -> None:
    """B77."""
    message = letters({"a.html": "<title>Hello {{ name }}</title>"}).message("a", to=NANCY, name=name)
    assert set(message.keys()) == {"To", "From", "Subject", "Content-Language", "MIME-Version", "Content-Type"}
    assert message["Subject"].startswith("Hello Nancy ")
    assert message["Subject"].isprintable()


def test_a_name_without_end_makes_no_subject_without_end(letters: Callable[..., Templates]) -> None:
    message = letters({"a.html": "<title>Hello {{ name }}</title>"}).message("a", to=NANCY, name="é" * 1_000_000)
    assert len(message["Subject"]) == 998


@pytest.mark.parametrize(
    "to",
    ["Nancy\r\nBcc: eve@evil.example <nancy@candy.test>", "nancy@candy.test, eve@evil.example", "nancy", "", "<>",
     "all: nancy@candy.test;", "Nancy <nancy@candy.test> more", "=?utf-8?q?a=0D=0ABcc:_x?= <nancy@candy.test>",
     "nancy@candy.test\x00", "\ud800 <nancy@candy.test>", "(" * 900, "a" * 100_000 + "@b.example", "nan cy@b.example",
     Address("Nancy\x00", addr_spec=NANCY), Address("Nancy"), Address(username="nancy"),
     "Nancy\n <nancy@candy.test>", Address("\ud800", username="a", domain="b")],
)  # fmt: skip
def test_what_is_not_one_address_is_refused_and_not_repeated(
    to: str | Address, letters: Callable[..., Templates]
) -> None:
    templates = letters({"a.html": "<title>A</title>"})
    for where in ({"to": to}, {"sender": to}):
        error = refused(templates, **where)
        assert (error.code, "candy.test" in str(error), "evil" in str(error)) == ("CX9257", False, False)


@pytest.mark.parametrize(
    "subject", ["A\r\nBcc: eve@evil.example", "A\nB", "A\x00", "A\u2028B", "", " ", "a" * 999, "\ud800"]
)
def test_a_subject_that_is_not_one_line_is_refused(subject: str, letters: Callable[..., Templates]) -> None:
    assert refused(letters({"a.html": "<title>A</title>"}), subject=subject).code == "CX9257"


@given(st.text(max_size=60))
@example("\ud800")
@example("</title><title>x")
def test_no_text_breaks_out_of_a_letter(name: str) -> None:
    html = "<title>Hello {{ name }}</title><p>{{ name }}</p>"
    message = Templates(DictLoader({"a.html": html, "a.txt": "x"}), sender=SHOP).message("a", to=NANCY, name=name)
    lines = bytes(message).partition(b"\n\n")[0].split(b"\n")
    assert {line.partition(b":")[0] for line in lines if not line.startswith(b" ")} == {
        b"To", b"From", b"Subject", b"Content-Language", b"MIME-Version", b"Content-Type",
    }  # fmt: skip
    assert html_of(message).count("<p>") == html_of(message).count("<title>") == 1


# --- the sandbox ---


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ ''['__class__'] }}",
        "{{ ''|attr('__class__') }}",
        "{{ offer.__class__.__init__.__globals__ }}",
        "{{ '{0.__class__}'.format(offer) }}",
        "{{ '{a.__class__}'.format_map({'a': offer}) }}",
        "{{ ('{0.__class__}'|safe).format(offer) }}",
        "{{ lipsum.__globals__ }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ self.__init__.__globals__ }}",
        "{{ sweets.append(1) }}",
        "{{ sweets.clear() }}",
        "{{ given.update(a=1) }}",
        "{{ namespace.__init__.__globals__ }}",
        "{{ joiner.__call__.__func__ }}",
    ],
)
def test_a_template_cannot_reach_out_of_the_sandbox(source: str, letters: Callable[..., Templates]) -> None:
    offer = cxkit.Decision(experience="offer", variant="box")
    given: dict[str, Any] = {"offer": offer, "sweets": [1], "given": {"b": 2}}
    error = refused(letters({"a.html": "<title>A</title>\n" + source}), **given)
    assert (error.code, error.what) == ("CX9255", "a.html, line 2, reaches for what no template may")
    assert (given["sweets"], given["given"]) == ([1], {"b": 2})


@pytest.mark.parametrize(
    "name", ["config", "request", "app", "os", "open", "cxkit", "__builtins__", "self.environment"]
)
def test_a_template_is_given_nothing_of_the_app(name: str, letters: Callable[..., Templates]) -> None:
    error = refused(letters({"a.html": f"<title>{{{{ {name} }}}}</title>"}))
    assert error.code in {"CX9254", "CX9255"}


@pytest.mark.parametrize("path", ["../secret.html", "/etc/passwd", "..\\secret.html", "file:///etc/passwd"])
def test_a_template_includes_nothing_from_elsewhere(
    path: str, letters: Callable[..., Templates], tmp_path: Path
) -> None:
    (tmp_path / "secret.html").write_text("secret")
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters/a.html").write_text(f"<title>A</title>\n{{% include {path!r} %}}")
    error = refused(Templates(tmp_path / "letters", sender=SHOP))
    assert error.what == "a.html, line 2, includes or extends a file that is not there"


# --- what is wrong is said, without what it was filled with ---


def test_what_is_asked_for_and_not_given_is_named(letters: Callable[..., Templates]) -> None:
    error = refused(letters({"a.html": "<title>A</title>\n\n{{ offer }}"}))
    assert (error.code, error.what) == ("CX9254", 'a.html, line 3, asks for "offer", which is not given')


def test_the_line_is_that_of_the_file_that_is_included(letters: Callable[..., Templates]) -> None:
    error = refused(letters({"a.html": "<title>A</title>\n\n{% include 'foot.html' %}", "foot.html": "\n{{ x }}"}))
    assert error.what == 'foot.html, line 2, asks for "x", which is not given'


def test_no_value_is_repeated(letters: Callable[..., Templates]) -> None:
    for source in ("{{ {}[who] }}", "{% include who %}", "{{ who|attr(who) }}", "{{ offer[who].x }}"):
        error = refused(letters({"a.html": source}), who=NANCY, offer={})
        assert (error.code in {"CX9253", "CX9254"}, error.__cause__) == (True, None)
        assert error.__suppress_context__


def test_a_template_that_is_none_says_where(letters: Callable[..., Templates]) -> None:
    error = refused(letters({"a.html": "<title>A</title>\n{% if x %}"}))
    assert error.code == "CX9253"
    assert error.what.startswith("a.html, line 2, is no template: Unexpected end of template.")


def test_a_letter_that_is_not_there_and_one_that_is_nearly(letters: Callable[..., Templates]) -> None:
    error = refused(letters({"birthday.html": "<title>A</title>"}), name="brithday")
    assert (error.code, error.what, "birthday" in error.fix) == ("CX9252", 'no letter is called "brithday"', True)
    assert refused(letters({}), name="x").code == "CX9252"


def test_a_directory_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match="CX9252"):
        Templates(tmp_path / "none")


@pytest.mark.parametrize("package", ["jinja2", "jinja2.sandbox", "css_inline", "mrml"])
def test_without_the_extra_it_says_what_to_install(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=r"CX9251.*install \"cxkit-email\[templates\]\""):
        Templates(tmp_path)


def test_the_module_itself_imports_nothing_of_the_extra() -> None:
    code = "import sys, cxkit_email.templates as _; print(*{'jinja2', 'css_inline', 'mrml'} & sys.modules.keys())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == []
