"""Names that hide, fields that hide, and texts that fit (S9-S11)."""

from __future__ import annotations

import dataclasses
import sys
import types
from collections.abc import Callable
from typing import Any, ClassVar

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.capture.redact import ABSENT, HIDDEN, Redactor, bases, encodable, fields, stored, type_name

SECRET = """
    password passwd user_password userPassword PASSWORD2 new-password mysql_pwd pwd passphrase
    mot_de_passe
    X-Api-Key x_api_key xApiKey XAPIKey api.key HTTP_X_API_KEY apikey stripe_api_keys privateKey
    aws_secret_access_key client_secret secret token access_token idToken csrftoken XSRF-TOKEN _csrf
    token_value
    token_2 refresh-token device_token bearer jwt credentials auth
    Authorization Proxy-Authorization HTTP_AUTHORIZATION authorization_header
    cookie Set-Cookie HTTP_COOKIE session_cookie sessionId session_id PHPSESSID JSESSIONID connect.sid
    credit_card creditCardNumber card_number cardNo cvv CVV2 card_cvc iban
    customerIban ssn social_security_number pin card_pin otp otp_code verification_code security_code
    X-Amz-Signature passport_number
""".split()
HARMLESS = """
    sku quantity price currency name email phone city user_id identity channel step topic
    tokenizer_version tokenizer token_count tokens max_tokens prompt_tokens token_type token_expires
    secretary author authority authenticated authorization_status compass passenger passed bypass
    has_password password_length password_changed is_token accepts_cookies cookie_policy cookieConsent
    cookie_banner_version session sessions session_length session_idle_s message_sid key keyboard monkey
    credit_card_type card_brand cardnote spinach map_opened pins pinned discount island signature_required
    passport_country shipping pan_size cookies_count
""".split()
STYLES: dict[str, Callable[[list[str]], str]] = {
    "snake": "_".join,
    "kebab": "-".join,
    "dotted": ".".join,
    "spaced": " ".join,
    "shouting": lambda words: "_".join(words).upper(),
    "header": lambda words: "-".join(word.capitalize() for word in words),
    "camel": lambda words: words[0] + "".join(word.capitalize() for word in words[1:]),
    "pascal": lambda words: "".join(word.capitalize() for word in words),
}


@pytest.mark.parametrize("key", SECRET)
def test_secret_names_hide(key: str) -> None:
    assert Redactor().is_secret(key)


@pytest.mark.parametrize("key", HARMLESS)
def test_harmless_names_do_not(key: str) -> None:
    assert not Redactor().is_secret(key)


@pytest.mark.parametrize(
    "key",
    [
        "\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44",
        "contrase\xf1a",
        "pass\u200bword",
        "contrasen\u0303a",
        "\ud800password",
    ],
    ids=["full-width", "accented", "zero-width", "combining", "surrogate"],
)
def test_disguises_do_not_help(key: str) -> None:
    assert Redactor().is_secret(key)


@given(
    words=st.lists(
        st.sampled_from("api key token count user password has session id card number cookie policy".split()),
        min_size=1,
        max_size=4,
    )
)
def test_law_the_style_of_a_key_does_not_matter(words: list[str]) -> None:
    redactor = Redactor()
    assert len({redactor.is_secret(style(words)) for style in STYLES.values()}) == 1


@given(st.text(alphabet=st.characters(), max_size=700))
def test_law_any_key_is_judged_and_the_answer_is_remembered_right(key: str) -> None:
    redactor = Redactor()
    first = redactor.is_secret(key)
    assert redactor.is_secret(key) is first
    assert (key in redactor.clean) <= (not first)


def test_extra_names_hide_as_whole_keys_in_any_style() -> None:
    redactor = Redactor(extra=["maiden name", "", "--"])
    assert all(map(redactor.is_secret, ("maiden_name", "maidenName", "Maiden-Name")))
    assert not any(map(redactor.is_secret, ("mothers_maiden_name_given", "name", "", "--")))


def test_kept_names_do_not_hide_unless_they_are_extra() -> None:
    redactor = Redactor(keep=["session_id", "code_word"], extra=["codeWord"])
    assert not redactor.is_secret("SessionID")
    assert redactor.is_secret("session_id_token")
    assert redactor.is_secret("code-word")


def test_a_long_key_is_judged_at_both_ends() -> None:
    redactor = Redactor()
    assert redactor.is_secret("x_" * 40_000 + "password")
    assert redactor.is_secret("password" + "_x" * 40_000)
    assert not redactor.is_secret("x_" * 40_000)
    assert not redactor.is_secret("x_" * 200 + "password" + "_x" * 200)


def test_clean_holds_only_what_may_be_encoded_as_it_is() -> None:
    redactor = Redactor()
    for key in ("fine", "", "caf\xe9", "\ud800", "k" * 64, "k" * 65, "password"):
        redactor.is_secret(key)
    assert redactor.clean == {"fine", "", "caf\xe9", "k" * 64}


def test_what_visitors_write_into_urls_is_not_remembered() -> None:
    redactor = Redactor()
    redactor.strip_url("https://shop.example/?utm_source=x&token=y")
    assert redactor.clean == set()


def test_what_is_remembered_is_bounded() -> None:
    redactor = Redactor()
    for number in range(10_050):
        assert not redactor.is_secret(f"key{number}x")
    assert len(redactor.clean) == 10_000
    assert not redactor.is_secret("key10049x")
    assert redactor.is_secret("password")


@pytest.mark.parametrize(
    ("text", "most", "kept", "markers"),
    [
        ("caf\xe9", 5, "caf\xe9", []),
        ("caf\xe9s", 4, "caf", ["cut:5"]),
        ("\U0001f600\U0001f600", 7, "\U0001f600", ["cut:2"]),
        ("a\ud800", 10, "a\ufffd", ["surrogate"]),
        ("x", 0, "", ["cut:1"]),
        ("", 0, "", []),
        ("http://u@h/" + "p" * 100, 20, "http://h/" + "p" * 9, ["cut:111", "url"]),
    ],
)
def test_a_text_is_made_to_fit(text: str, most: int, kept: str, markers: list[str]) -> None:
    assert Redactor().fit(text, most) == (kept, markers)


@given(st.text(alphabet=st.characters() | st.sampled_from("\ud800\udfff\U0001f600"), max_size=40))
def test_law_encodable_text_encodes_and_stays(text: str) -> None:
    mended = encodable(text)
    assert mended.encode().decode() == mended == encodable(mended)


class Field:
    """What pydantic keeps of a field, as far as it matters here."""

    __slots__ = ("repr",)

    def __init__(self, *, repr: bool) -> None:
        self.repr = repr


class Modelled:
    """What pydantic makes of a class, as far as it matters here."""

    __pydantic_fields__: ClassVar = {
        "user": Field(repr=True), "code": Field(repr=False), "unset": Field(repr=True),
    }  # fmt: skip

    def __init__(self) -> None:
        self.__dict__ = {"user": "nancy", "code": "1234", "other": 1}


@attrs.frozen
class Slotted:
    user: str
    code: str = attrs.field(default="1234", repr=False)


@attrs.define(slots=False)
class Masked:
    user: str
    code: str = attrs.field(default="1234", repr=lambda value: "***")


@dataclasses.dataclass
class Plain:
    user: str
    code: str = dataclasses.field(default="1234", repr=False)


@dataclasses.dataclass(slots=True)
class PlainSlotted:
    user: str
    code: str = dataclasses.field(default="1234", repr=False)


class Struct(msgspec.Struct):
    user: str
    code: str = "1234"


@pytest.mark.parametrize(
    "value", [Slotted("nancy"), Masked("nancy"), Plain("nancy"), PlainSlotted("nancy"), Modelled()]
)
def test_fields_out_of_the_repr_hide(value: object) -> None:
    assert fields(value) == [("user", "nancy"), ("code", HIDDEN)]


def test_a_struct_has_fields_and_hides_none() -> None:
    assert fields(Struct("nancy")) == [("user", "nancy"), ("code", "1234")]


def test_real_pydantic_models_have_fields() -> None:
    pydantic = pytest.importorskip("pydantic")
    model = pydantic.create_model("M", user=(str, ...), code=(str, pydantic.Field(repr=False)))
    assert fields(model(user="nancy", code="1234")) == [("user", "nancy"), ("code", HIDDEN)]


@pytest.mark.parametrize("value", [object(), 1, "x", {}, Plain, types, None, NotImplemented])
def test_other_values_have_none(value: object) -> None:
    assert fields(value) is None


def test_rows_of_a_table_have_none() -> None:
    @dataclasses.dataclass
    class Row:
        user: str
        _sa_class_manager = None  # as SQLAlchemy leaves it in a class it maps

    assert fields(Row("nancy")) is None


def test_unset_slots_and_class_attributes_are_left_out() -> None:
    half = Slotted.__new__(Slotted)
    assert fields(half) == []
    assert stored(half, "user") is ABSENT
    plain = Plain("nancy")
    del plain.code
    assert plain.code == "1234"
    assert stored(plain, "code") is ABSENT


def test_nothing_of_the_app_is_run() -> None:
    touched: list[str] = []

    class Watchful(type):
        def __getattribute__(cls, name: str) -> Any:
            touched.append(f"class:{name}")
            return super().__getattribute__(name)

        def __hash__(cls) -> int:
            touched.append("hash")
            return 1

        def __eq__(cls, other: object) -> bool:
            touched.append("eq")
            return True

        def __instancecheck__(cls, instance: object) -> bool:
            touched.append("instancecheck")
            return True

    @dataclasses.dataclass(eq=False)
    class Trapped(metaclass=Watchful):
        user: str

        def __getattribute__(self, name: str) -> Any:
            touched.append(name)
            return object.__getattribute__(self, name)

    trapped = Trapped("nancy")
    touched.clear()
    assert fields(trapped) == [("user", "nancy")]
    assert type_name(trapped) == "Trapped"
    assert [base is kind for base, kind in zip(bases(trapped), (Trapped, object), strict=True)] == [
        True,
        True,
    ]
    assert touched == []


def test_a_class_cannot_lie_about_what_is_stored() -> None:
    class Liar:
        def __init__(self) -> None:
            vars(self)["user"] = "stored"

        @property
        def user(self) -> str:
            raise AssertionError("a property was read")

    class Denier(Liar):
        __dict__: Any = property(lambda self: {"user": "invented"})

    assert stored(Liar(), "user") == "stored"
    denier = Denier.__new__(Denier)
    assert stored(denier, "user") is ABSENT
    assert stored(sys, "maxsize") == sys.maxsize
