"""Tokens: short, for one use, and nobody alters one."""

from __future__ import annotations

from base64 import b32encode, urlsafe_b64encode
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.errors import TokenError
from cxkit.keyring import Keyring
from cxkit_email.tokens import Token, bounce_token, read_bounce, read_token, token

OLD, NEW, OTHER = (Keyring(signing=[one], identifier=b"one that stays..") for one in (b"o" * 16, b"n" * 16, b"x" * 16))
BOTH = Keyring(signing=[b"n" * 16, b"o" * 16], identifier=b"one that stays..")
sends = st.binary(min_size=16, max_size=16).map(bytes.hex)
tokens = st.builds(
    Token, send=sends, mailing=st.binary(min_size=6, max_size=6).map(bytes.hex), number=st.integers(0, 65_535)
)


@given(tokens, st.sampled_from(["link", "open", "leave"]))
def test_what_it_says_is_read_again(said: Token, use: str) -> None:
    text = token(OLD, use, said)  # type: ignore[arg-type]  # a use of the table
    assert len(text) == 55
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert read_token(OLD, use, text) == said  # type: ignore[arg-type]  # a use of the table
    assert read_token(BOTH, use, text) == said  # type: ignore[arg-type]  # a use of the table
    with pytest.raises(TokenError):
        read_token(OTHER, use, text)  # type: ignore[arg-type]  # a use of the table


@given(sends)
def test_a_bounce_is_read_whatever_became_of_its_letters(send: str) -> None:
    text = bounce_token(OLD, send)
    assert len("bounce+" + text) <= 64, "a mailbox's name has no more (RFC 5321, section 4.5.3.1.1)"
    assert read_bounce(BOTH, text) == read_bounce(OLD, text.upper()) == send


@pytest.mark.parametrize("use", ["link", "open", "leave"])
def test_a_token_is_for_one_use(use: str) -> None:
    """S1."""
    text = token(OLD, use, Token(send="ab" * 16, mailing="cd" * 6))  # type: ignore[arg-type]  # a use of the table
    for other in {"link", "open", "leave"} - {use}:
        with pytest.raises(TokenError):
            read_token(OLD, other, text)  # type: ignore[arg-type]  # a use of the table


@given(tokens, st.integers(0, 54), st.characters(codec="ascii"))
def test_a_token_with_another_letter_is_none(said: Token, place: int, letter: str) -> None:
    text = token(OLD, "link", said)
    altered = text[:place] + letter + text[place + 1 :]
    if altered != text:
        with pytest.raises(TokenError):
            read_token(OLD, "link", altered)


@given(st.text(max_size=80) | st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567=-_", min_size=50, max_size=60))
@pytest.mark.parametrize("read", [lambda text: read_token(OLD, "link", text), lambda text: read_bounce(OLD, text)])
def test_any_other_text_is_none(read: Callable[[str], object], text: str) -> None:
    with pytest.raises(TokenError) as caught:
        read(text)
    assert len(text) < 10 or text not in str(caught.value)


SAID = Token(send="ab" * 16, mailing="cd" * 6)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def test_there_is_one_way_to_write_a_token() -> None:
    """The last letter has bits that say nothing: whoever sets them has another text for the same bytes."""
    for text, letters, read in (
        (
            token(OLD, "link", Token(send="ab" * 16, mailing="cd" * 6)),
            LETTERS,
            lambda one: read_token(OLD, "link", one),
        ),
        (bounce_token(OLD, "ab" * 16), "abcdefghijklmnopqrstuvwxyz234567", lambda one: read_bounce(OLD, one)),
    ):
        for letter in set(letters) - {text[-1]}:
            with pytest.raises(TokenError):
                read(text[:-1] + letter)


def test_a_token_of_another_version_is_none() -> None:
    """Whatever a later release means by it, this one must not guess."""
    later = OLD.seal("email link", b"\x02" + bytes(24))
    with pytest.raises(TokenError, match="malformed"):
        read_token(OLD, "link", urlsafe_b64encode(later).rstrip(b"=").decode())
    later = OLD.seal("email bounce", b"\x02" + bytes(16))
    with pytest.raises(TokenError, match="malformed"):
        read_bounce(OLD, b32encode(later).rstrip(b"=").decode())
