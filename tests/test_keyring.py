"""Keys: what they sign verifies, nothing else does; and what is generated is generated once, for us alone."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cxkit.errors import ConfigurationError, TokenError
from cxkit.keyring import Keyring

OLD, NEW, IDENTIFIER = b"an old secret of ours", b"a new secret of ours", b"and one that stays"
KEYS = Keyring(signing=[OLD], identifier=IDENTIFIER)
NOW = 1_800_000_000.75
PAYLOADS = st.from_regex(r"[A-Za-z0-9_:~-]{0,512}", fullmatch=True)


def verified(keys: Keyring, token: str, *, use: str = "cookie", now: float = NOW, max_age_s: float = 3600) -> str:
    return keys.verify(use, token, now=now, max_age_s=max_age_s)


def refused(keys: Keyring, token: str, *, code: str | None = None, **options: object) -> bool:
    with pytest.raises(TokenError) as caught:
        verified(keys, token, **options)  # type: ignore[arg-type]
    assert len(token) < 30 or token not in str(caught.value)
    return code is None or caught.value.code == code


# --- tokens ---


@given(PAYLOADS, st.integers(0, 2**40))
def test_what_is_signed_verifies(payload: str, now: int) -> None:
    signed = KEYS.verify("cookie", KEYS.sign("cookie", payload, now=now), now=now, max_age_s=0)
    assert (signed, signed.issued_at, signed.current) == (payload, now, True)


@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    assert refused(KEYS, text)


@given(st.data(), PAYLOADS)
def test_any_other_token_is_refused(data: st.DataObject, payload: str) -> None:
    token = KEYS.sign("cookie", payload, now=NOW)
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.characters(max_codepoint=300) | st.sampled_from("._-=0aA"))
    changed = data.draw(
        st.sampled_from(
            [
                token[:place] + letter + token[place + 1 :],
                token[:place] + letter + token[place:],
                token[:place] + token[place + 1 :],
                token[place:] + token[:place],
                token + letter,
                letter + token,
                token[:place],
            ]
        )
    )
    assume(changed != token)
    assert refused(KEYS, changed)


def test_a_token_is_for_one_use() -> None:
    """S1."""
    token = KEYS.sign("visitor", "v", now=NOW)
    assert verified(KEYS, token, use="visitor") == "v"
    for use in ("consent", "", "visito", "visitor "):
        assert refused(KEYS, token, use=use, code="CX4102")


def test_a_token_is_good_for_its_time() -> None:
    """S1."""
    token = KEYS.sign("cookie", "v", now=NOW)
    for after_s in (0, 3599, -60):
        assert verified(KEYS, token, now=NOW + after_s) == "v"
    for after_s in (3601, -62, 10**9, -(10**9)):
        assert refused(KEYS, token, now=NOW + after_s, code="CX4103")


def test_the_newest_key_signs_and_all_verify() -> None:
    """S1."""
    both, new = (Keyring(signing=keys, identifier=IDENTIFIER) for keys in ([NEW, OLD], [NEW]))
    old_token, new_token = KEYS.sign("cookie", "v", now=NOW), both.sign("cookie", "v", now=NOW)
    assert [both.verify("cookie", one, now=NOW, max_age_s=9).current for one in (old_token, new_token)] == [False, True]
    assert verified(new, new_token) == "v"
    assert refused(new, old_token, code="CX4102"), "its key is gone"
    assert refused(KEYS, new_token, code="CX4102")


@pytest.mark.parametrize("payload", ["a.b", "a b", "ä", "a;b", "x" * 513, "a\n"])
def test_what_a_cookie_cannot_hold_is_not_signed(payload: str) -> None:
    with pytest.raises(ValueError, match="letters, digits"):
        KEYS.sign("cookie", payload, now=NOW)


def test_a_token_fits_a_header() -> None:
    token = KEYS.sign("cookie", "x" * 512, now=2**40)
    assert len(token) <= 600
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_:~-.")
    assert verified(KEYS, token, now=2**40) == "x" * 512


# --- seals ---


@given(st.binary(max_size=64))
def test_what_is_sealed_is_unsealed(payload: bytes) -> None:
    sealed = KEYS.seal("link", payload)
    assert len(sealed) == len(payload) + 16
    assert KEYS.unseal("link", sealed) == payload
    later = Keyring(signing=[NEW, OLD], identifier=IDENTIFIER)
    assert later.unseal("link", sealed) == payload


@given(st.binary(max_size=64), st.data())
def test_what_was_altered_by_one_bit_is_not_ours(payload: bytes, data: st.DataObject) -> None:
    sealed = bytearray(KEYS.seal("link", payload))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(TokenError) as caught:
        KEYS.unseal("link", bytes(sealed))
    assert caught.value.code == "CX4102"


@pytest.mark.parametrize("sealed", [b"", b"x", b"x" * 15, b"x" * 16, b"x" * 40])
def test_what_nobody_sealed_is_not_ours(sealed: bytes) -> None:
    with pytest.raises(TokenError):
        KEYS.unseal("link", sealed)


def test_a_seal_is_for_one_use() -> None:
    with pytest.raises(TokenError):
        KEYS.unseal("unsubscribe", KEYS.seal("link", b"1"))


# --- identifiers ---


@given(st.text(max_size=10), st.text(max_size=10), st.text(max_size=10), st.text(max_size=10))
def test_an_identifier_has_a_key_of_its_own(type: str, value: str, other_type: str, other_value: str) -> None:
    assume("\0" not in type + other_type)
    same = (type, value) == (other_type, other_value)
    assert (KEYS.identifier_key(type, value) == KEYS.identifier_key(other_type, other_value)) is same
    assert len(KEYS.identifier_key(type, value)) == 16


def test_the_key_of_an_identifier_stays_for_ever() -> None:
    """These bytes stand in people's stores: another result makes every customer a stranger."""
    assert KEYS.identifier_key("email", "nancy@example.org").hex() == "df62dea4c63fe622a00ea9298cac97f2"
    assert KEYS.identifier_key("visitor", "\ud800 é").hex() == "2451475e0fe5081513e1e086cfeac695"
    other = Keyring(signing=[NEW, OLD], identifier=IDENTIFIER)
    assert other.identifier_key("email", "n") == KEYS.identifier_key("email", "n"), "whatever signs"
    assert Keyring(signing=[OLD], identifier=NEW).identifier_key("email", "n") != KEYS.identifier_key("email", "n")


# --- secrets ---


def test_secrets_are_not_shown() -> None:
    assert OLD.decode() not in repr(KEYS)
    assert repr(KEYS) == "<Keyring of 1 signing keys>"


@pytest.mark.parametrize(
    ("signing", "identifier"), [([], IDENTIFIER), ([b"short"], IDENTIFIER), ([OLD, b""], IDENTIFIER), ([OLD], b"")]
)
def test_a_key_that_is_none_is_refused(signing: list[bytes], identifier: bytes) -> None:
    with pytest.raises(ConfigurationError, match="CX1020"):
        Keyring(signing=signing, identifier=identifier)


def test_generated_once_and_kept_to_ourselves(tmp_path: Path) -> None:
    folder = tmp_path / "new" / ".cxkit"
    first, second = Keyring.open(folder), Keyring.open(folder)
    assert first.generated
    assert verified(second, first.sign("cookie", "v", now=NOW)) == "v"
    assert first.identifier_key("email", "n") == second.identifier_key("email", "n")
    ignore, file = sorted(folder.iterdir())
    assert (ignore.name, ignore.read_text()) == (".gitignore", "*\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    other = Keyring.open(tmp_path / "other")
    assert refused(other, first.sign("cookie", "v", now=NOW))
    assert other.identifier_key("email", "n") != first.identifier_key("email", "n")


def test_what_is_configured_is_used_and_the_rest_generated(tmp_path: Path) -> None:
    given = {"signing": (NEW.decode(), OLD.decode()), "identifier": IDENTIFIER.decode()}
    whole = Keyring.open(tmp_path, **given)  # type: ignore[arg-type]
    assert not whole.generated
    assert not list(tmp_path.iterdir())
    assert verified(whole, KEYS.sign("cookie", "v", now=NOW)) == "v"
    assert whole.identifier_key("email", "n") == KEYS.identifier_key("email", "n")
    half = Keyring.open(tmp_path, signing=(OLD.decode(),))
    assert half.generated
    assert half.sign("cookie", "v", now=NOW) == KEYS.sign("cookie", "v", now=NOW)
    assert half.identifier_key("email", "n") == Keyring.open(tmp_path).identifier_key("email", "n")
    other = Keyring.open(tmp_path, identifier=IDENTIFIER.decode())
    assert other.generated
    assert other.identifier_key("email", "n") == KEYS.identifier_key("email", "n")


def test_processes_that_start_together_share_what_one_of_them_made(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from cxkit.keyring import Keyring; sys.stdin.read(1);"
        "print(Keyring.open(Path(sys.argv[1])).identifier_key('a', 'b').hex())"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "keys")]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ)
        for _ in range(6)
    ]
    with ThreadPoolExecutor(6) as pool:
        made = [*pool.map(lambda process: process.communicate("x", timeout=60)[0].strip(), started)]
    assert len(set(made)) == 1
    assert len(made[0]) == 32
    assert {file.name for file in (tmp_path / "keys").iterdir()} == {".gitignore", "keys.json"}, "no draft is left"


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"signing": ["x"]}', '{"signing": [], "identifier": "sixteen characters"}',
             '{"signing": "sixteen characters", "identifier": "sixteen characters"}', "\udcff"]
)  # fmt: skip
def test_a_key_file_that_holds_no_keys_is_said_so(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigurationError, match="CX1021") as caught:
        Keyring.open(tmp_path)
    assert str(tmp_path) in caught.value.what
    assert "sixteen" not in str(caught.value)


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="CX1021") as caught:
        Keyring.open(tmp_path / "file" / "below")
    assert "keys.signing" in caught.value.fix
