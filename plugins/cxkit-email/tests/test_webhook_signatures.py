"""Who may tell us what became of messages: signatures of every scheme, and what is no signature."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

import cxkit
from cxkit.errors import ConfigurationError, DeclarationError, MissingDependencyError
from cxkit.kit.examination import examined
from cxkit.settings import Secret, load, structure
from cxkit_email.webhooks.schemes import SCHEMES, Place, SignatureScheme
from cxkit_email.webhooks.settings import Webhook, check_name
from cxkit_email.webhooks.verify import Refused, Verified, checks_of, verify

NOW = 1_800_000_000.0
BODY = b'{"event": "delivered", "email": "nancy@example.com"}'
KEY = b"a key that a provider gave us"
Signed = tuple[dict[str, str], bytes, str]


def hmac_of(message: bytes, key: bytes = KEY, name: str = "sha256") -> bytes:
    return hmac.digest(key, message, name)


def b64(value: bytes) -> str:
    return base64.b64encode(value).decode()


EDWARDS = ed25519.Ed25519PrivateKey.generate()
CURVE = ec.generate_private_key(ec.SECP256R1())
_RAW = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)
_DER = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
CURVE_KEY = b64(CURVE.public_key().public_bytes(*_DER))
EDWARDS_KEY = b64(EDWARDS.public_key().public_bytes(*_RAW))


def standard(at: str = "1800000000", body: bytes = BODY, kind: str = "webhook", id: str = "msg_1") -> Signed:
    signature = b64(hmac_of(f"{id}.{at}.".encode() + body))
    return {f"{kind}-id": id, f"{kind}-timestamp": at, f"{kind}-signature": f"v1,{signature}"}, body, ""


def edwards(at: str = "1800000000", body: bytes = BODY) -> Signed:
    signature = b64(EDWARDS.sign(f"msg_1.{at}.".encode() + body))
    return {"webhook-id": "msg_1", "webhook-timestamp": at, "webhook-signature": f"v1a,{signature}"}, body, ""


def sendgrid(at: str = "1800000000", body: bytes = BODY) -> Signed:
    name = "x-twilio-email-event-webhook-"
    signature = b64(CURVE.sign(at.encode() + body, ec.ECDSA(hashes.SHA256())))
    return {name + "signature": signature, name + "timestamp": at}, body, ""


def mailgun(at: str = "1800000000", body: bytes = BODY) -> Signed:
    token = "t" * 50
    signature = {"timestamp": at, "token": token, "signature": hmac_of((at + token).encode()).hex()}
    return {}, json.dumps({"signature": signature, "event-data": json.loads(body)}).encode(), ""


def hexed(name: str, prefix: str = "") -> Callable[..., Signed]:
    return lambda body=BODY: ({name: prefix + hmac_of(body).hex()}, body, "")


def basic() -> Signed:
    return {"authorization": "Basic " + b64(b"cx:a long enough password")}, BODY, ""


STANDARD_KEY = "whsec_" + b64(KEY)
SIGNERS: Mapping[str, tuple[Callable[..., Signed], str]] = {
    "standardwebhooks": (standard, STANDARD_KEY),
    "standardwebhooks-ed25519": (edwards, "whpk_" + EDWARDS_KEY),
    "svix": (lambda **given: standard(kind="svix", **given), STANDARD_KEY),
    "resend": (lambda **given: standard(kind="svix", **given), STANDARD_KEY),
    "sendgrid": (sendgrid, CURVE_KEY),
    "mailgun": (mailgun, KEY.decode()),
    "mailersend": (hexed("signature"), KEY.decode()),
    "github": (hexed("x-hub-signature-256", "sha256="), KEY.decode()),
    "basic": (basic, "cx:a long enough password"),
    "secret": (lambda: ({"x-cx-secret": "a long enough password"}, BODY, ""), "a long enough password"),
}
TIMED = [name for name, scheme in SCHEMES.items() if scheme.timestamp]
COVERING = [name for name, scheme in SCHEMES.items() if scheme.covers_body]


def checked(name: str, signed: Signed, *secrets: str, now: float = NOW, **changed: Any) -> Verified | Refused:
    scheme = attrs.evolve(SCHEMES[name], **changed)
    checks = checks_of(scheme, [Secret(one) for one in secrets or (SIGNERS[name][1],)], where="email.webhooks.shop")
    headers, body, path = signed
    return verify(scheme, checks, headers=headers, body=body, now=now, path=path)


def reason(outcome: Verified | Refused) -> str | None:
    return outcome.reason if isinstance(outcome, Refused) else None


def test_each_scheme_has_its_signer_here() -> None:
    assert SIGNERS.keys() == SCHEMES.keys()


@pytest.mark.parametrize("name", SCHEMES)
def test_what_is_signed_is_believed(name: str) -> None:
    outcome = checked(name, SIGNERS[name][0]())
    assert isinstance(outcome, Verified)
    assert (outcome.at is not None) == (name in TIMED)
    assert outcome.payload


@pytest.mark.parametrize("name", SCHEMES)
def test_what_another_signed_is_not(name: str) -> None:
    other = {"sendgrid": b64(ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(*_DER)),
             "standardwebhooks-ed25519": b64(ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(*_RAW)),
             }.get(name, "whsec_" + b64(b"the key of somebody else"))  # fmt: skip
    assert reason(checked(name, SIGNERS[name][0](), other)) == "wrong_signature"


@pytest.mark.parametrize("name", SCHEMES)
def test_while_keys_are_rotated_either_will_do(name: str) -> None:
    own, other = SIGNERS[name][1], SIGNERS["secret"][1] + "== not this"
    if SCHEMES[name].key == "base64":
        other = {"sendgrid": CURVE_KEY, "standardwebhooks-ed25519": EDWARDS_KEY}.get(name, b64(b"an older key of ours"))
    for secrets in ((own, other), (other, own)):
        assert isinstance(checked(name, SIGNERS[name][0](), *secrets), Verified)


@pytest.mark.parametrize("name", COVERING)
def test_a_body_altered_by_one_byte_is_refused(name: str) -> None:
    headers, body, path = SIGNERS[name][0]()
    for index in range(len(body)):
        changed = body[:index] + bytes([body[index] ^ 1]) + body[index + 1 :]
        assert reason(checked(name, (headers, changed, path))) == "wrong_signature"


def test_mailgun_covers_no_body_and_so_its_token_is_the_id() -> None:
    headers, body, _ = mailgun()
    forged = json.loads(body) | {"event-data": {"event": "complained"}}
    outcome = checked("mailgun", (headers, json.dumps(forged).encode(), ""))
    assert isinstance(outcome, Verified)
    assert outcome.id == "t" * 50
    assert not SCHEMES["mailgun"].covers_body


@pytest.mark.parametrize("name", TIMED)
@pytest.mark.parametrize(
    ("away_s", "expected"), [(-300, None), (-301, "stale"), (300, None), (301, "future"), (-(10**9), "stale")]
)
def test_stale_and_future_timestamps(name: str, away_s: int, expected: str | None) -> None:
    signed = SIGNERS[name][0](at=str(int(NOW) + away_s))
    assert reason(checked(name, signed)) == expected


def test_a_timestamp_in_milliseconds() -> None:
    signed = standard(at="1800000000123")
    assert reason(checked("svix", signed)) == "future"
    outcome = checked("svix", signed, unit="ms")
    assert isinstance(outcome, Verified)
    assert outcome.at is not None
    assert outcome.at.microsecond == 123_000


@pytest.mark.parametrize("name", TIMED)
@pytest.mark.parametrize("at", ["NaN", "inf", "-1800000000", "+1800000000", "1e9", "9" * 17, "9" * 5000, "1800000000 ",
                                "1_800_000_000", "٣", "0x10", "1800000000.5"])  # fmt: skip
def test_huge_negative_and_nan_timestamps(name: str, at: str) -> None:
    assert reason(checked(name, _unsigned(name, at))) in ("malformed_timestamp", "missing_timestamp")


@pytest.mark.parametrize("name", TIMED)
def test_the_largest_timestamp_is_just_far_off(name: str) -> None:
    assert reason(checked(name, SIGNERS[name][0](at="9" * 16))) == "future"


def _unsigned(name: str, at: str) -> Signed:
    headers, body, path = SIGNERS[name][0]()
    if name == "mailgun":
        said = json.loads(body)
        said["signature"]["timestamp"] = at
        return headers, json.dumps(said).encode(), path
    return {key: at if "timestamp" in key else value for key, value in headers.items()}, body, path


@pytest.mark.parametrize("name", SCHEMES)
def test_without_a_signature_nothing_is_believed(name: str) -> None:
    _, body, _ = SIGNERS[name][0]()
    missing = checked(name, ({}, b"{}" if name == "mailgun" else body, ""))
    assert reason(missing) in ("missing_signature", "wrong_signature")


@pytest.mark.parametrize("name", ["svix", "standardwebhooks", "sendgrid"])
def test_without_a_timestamp_nothing_is_believed(name: str) -> None:
    headers, body, path = SIGNERS[name][0]()
    headers = {key: value for key, value in headers.items() if "timestamp" not in key}
    assert reason(checked(name, (headers, body, path))) == "missing_timestamp"


@pytest.mark.parametrize("id", ["", " ", "a b", "x" * 257, "ünder"])
def test_an_id_that_is_none(id: str) -> None:
    assert reason(checked("svix", standard(id=id))) == "missing_id"


def test_several_signatures_in_one_header_and_one_of_them_ours() -> None:
    headers, body, path = standard()
    own, other = headers["webhook-signature"], "v1," + b64(b"x" * 32)
    for text in (f"{other} {own}", f"{own} {other}", f"v1a,{other} v2,x {own}", f"{other}  {own} v1,not-base64!"):
        assert isinstance(checked("svix", (headers | {"webhook-signature": text}, body, path)), Verified)


def test_a_thousand_signatures_in_a_header() -> None:
    headers, body, path = standard()
    many = " ".join(["v1," + b64(b"x" * 32)] * 1000 + [headers["webhook-signature"]])
    assert reason(checked("svix", (headers | {"webhook-signature": many}, body, path))) == "malformed_signature"


@pytest.mark.parametrize("name", SCHEMES)
@pytest.mark.parametrize("text", ["", " ", "x", "v1,", "sha256=", "Basic ", "é" * 40, "\x00", "v1," + "A" * 100_000])
def test_what_is_no_signature(name: str, text: str) -> None:
    headers, body, path = SIGNERS[name][0]()
    headers = {key: value if "timestamp" in key or key.endswith("-id") else text for key, value in headers.items()}
    if name == "mailgun":
        body = json.dumps({"signature": {"timestamp": "1800000000", "token": "t", "signature": text}}).encode()
    assert reason(checked(name, (headers, body, path))) in (
        "missing_signature", "malformed_signature", "wrong_signature",
    )  # fmt: skip


def test_a_public_key_is_no_secret_to_sign_with() -> None:
    """Confusion of algorithms: everybody has the public key, so an HMAC by it proves nothing."""
    name, at = "x-twilio-email-event-webhook-", "1800000000"
    for key in (CURVE_KEY.encode(), base64.b64decode(CURVE_KEY)):
        headers = {name + "signature": b64(hmac_of(at.encode() + BODY, key)), name + "timestamp": at}
        assert reason(checked("sendgrid", (headers, BODY, ""))) == "wrong_signature"
    headers, body, path = edwards()
    by_key = b64(hmac_of(b"msg_1.1800000000." + body, base64.b64decode(EDWARDS_KEY)))
    for version, expected in (("v1,", "missing_signature"), ("v1a,", "wrong_signature")):
        changed = headers | {"webhook-signature": version + by_key}
        assert reason(checked("standardwebhooks-ed25519", (changed, body, path))) == expected


def test_a_weaker_hash_of_the_same_name_is_refused() -> None:
    weaker = {"x-hub-signature-256": "sha1=" + hmac_of(BODY, name="sha1").hex()}
    assert reason(checked("github", (weaker, BODY, ""))) == "missing_signature"
    assert reason(checked("github", ({"x-hub-signature-256": "sha256=" + hmac_of(BODY, name="sha1").hex()}, BODY, "")))


def test_a_secret_at_the_end_of_the_path() -> None:
    assert isinstance(checked("secret", ({}, BODY, "/cx/webhooks/shop/a long enough password")), Verified)
    for path in ("/cx/webhooks/shop", "/cx/webhooks/shop/", "/a long enough password/shop", ""):
        assert isinstance(checked("secret", ({}, BODY, path)), Refused)


def test_the_method_and_the_url_can_be_signed() -> None:
    scheme = SignatureScheme(signature=(Place(name="x-sign"),), signed="{method} {url}\n{body}")
    checks = checks_of(scheme, [Secret(KEY.decode())], where="shop")
    headers = {"x-sign": hmac_of(b"POST https://shop.example/in\n" + BODY).hex()}
    for url, expected in (("https://shop.example/in", None), ("https://shop.example/out", "wrong_signature")):
        assert reason(verify(scheme, checks, headers=headers, body=BODY, now=NOW, url=url)) == expected


def test_a_scheme_that_signs_what_is_not_known() -> None:
    with pytest.raises(DeclarationError, match="CX9236"):
        SignatureScheme(signature=(), signed="{boddy}")


@pytest.mark.parametrize("moved", [-3, -1, 1, 3])
def test_where_the_timestamp_of_mailgun_ends_cannot_be_moved(moved: int) -> None:
    """Nothing stands between it and the token, and a token may begin with digits."""
    at, token = "1800000000", "123" + "a" * 47
    signature, whole, cut = hmac_of((at + token).encode()).hex(), at + token, len(at) + moved
    said = {"timestamp": whole[:cut], "token": whole[cut:], "signature": signature}
    outcome = checked("mailgun", ({}, json.dumps({"signature": said}).encode(), ""))
    assert reason(outcome) == ("stale" if moved < 0 else "future")


@profile(deadline=None)
@given(
    st.sampled_from(sorted(SCHEMES)),
    st.dictionaries(st.sampled_from([
        "webhook-id", "webhook-signature", "webhook-timestamp", "signature", "x-hub-signature-256", "authorization",
        "x-twilio-email-event-webhook-signature", "x-twilio-email-event-webhook-timestamp", "x-cx-secret",
    ]), st.text(st.characters(max_codepoint=255), max_size=40)),
    st.one_of(st.binary(max_size=60), st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.dictionaries(st.sampled_from(["signature", "token", "timestamp"]), inner), max_leaves=5,
    ).map(lambda said: json.dumps(said).encode())),
    st.text(st.characters(), max_size=20),
)  # fmt: skip
def test_nothing_raises_and_nobody_is_believed_by_chance(name: str, headers: Any, body: bytes, path: str) -> None:
    assert isinstance(checked(name, (headers, body, path)), Refused)


# --- Bodies that carry their own signature ---


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"signature": []}',
                                  b"\x1f\x8b\x08\x00", b'{"signature": {"signature": {}}}', b"a=b"])  # fmt: skip
def test_mailgun_without_a_readable_signature(body: bytes) -> None:
    assert reason(checked("mailgun", ({}, body, ""))) == "missing_signature"


def test_of_two_equal_keys_the_same_one_is_checked_and_read() -> None:
    _, body, _ = mailgun()
    twice = body[:-1] + b', "signature": {"timestamp": "1", "token": "x", "signature": "00"}}'
    assert reason(checked("mailgun", ({}, twice, ""))) == "wrong_signature"


# --- Keys and settings: all errors are of the start ---


@pytest.mark.parametrize(
    ("name", "secret"),
    [("svix", "whsec_!!"), ("svix", "whsec_"), ("svix", ""), ("mailgun", ""), ("mailgun", "short"), ("secret", " "),
     ("sendgrid", "no such key!"), ("sendgrid", b64(b"no key")), ("sendgrid", EDWARDS_KEY), ("sendgrid", ""),
     ("standardwebhooks-ed25519", b64(b"x" * 31)), ("standardwebhooks-ed25519", CURVE_KEY),
     ("sendgrid", b64(ec.generate_private_key(ec.SECP384R1()).public_key().public_bytes(*_DER))),
     ("sendgrid", b64(EDWARDS.public_key().public_bytes(*_DER)))],
    ids=range(14),  # some keys are made up anew by each process
)  # fmt: skip
def test_a_wrong_secret_is_an_error_of_the_start(name: str, secret: str) -> None:
    with pytest.raises(ConfigurationError, match="CX9232") as raised:
        checks_of(SCHEMES[name], [Secret(secret)], where="email.webhooks.shop.secrets")
    assert secret.strip() == "" or secret not in str(raised.value)
    assert raised.value.setting == "email.webhooks.shop.secrets"


def test_without_cryptography_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(MissingDependencyError, match=r"CX9233.*cxkit-email\[signatures\]"):
        checks_of(SCHEMES["sendgrid"], [Secret(CURVE_KEY)], where="shop")
    assert checks_of(SCHEMES["mailgun"], [Secret(KEY.decode())], where="shop"), "which needs none"


@pytest.mark.parametrize("type", ["brevo", "mail", "mailgun", "postmark", "sendgrid", "ses"])
def test_missing_secrets_are_an_error_of_the_start(type: str) -> None:
    with pytest.raises(ConfigurationError, match="CX9231"):
        structure(Webhook, {"type": type}, where="email.webhooks.shop")
    assert structure(Webhook, {"type": type, "insecure": True}, where="email.webhooks.shop").insecure


@pytest.mark.parametrize("type", ["brevo", "mail", "mailgun", "postmark", "sendgrid"])
def test_wrong_secrets_are_an_error_of_the_start(type: str) -> None:
    overrides = {"email": {"webhooks": {"shop": {"type": type, "secrets": ["short"]}}}}
    with pytest.raises(ConfigurationError, match="CX9232"):
        cxkit.Kit(load(environ={}, overrides=overrides), in_memory=True)
    assert [error.code for error in examined(overrides).errors] == ["CX9232"]


def test_a_secret_whose_variable_is_not_set_is_one_error() -> None:
    overrides = {"email": {"webhooks": {"shop": {"type": "brevo", "secrets": ["${NOBODY_SET_THIS}"]}}}}
    assert [error.code for error in examined(overrides).errors] == ["CX1004"]


@pytest.mark.parametrize("type", ["brevo", "mail", "mailgun", "postmark", "sendgrid", "ses"])
def test_what_is_missing_is_said_with_where_to_get_it(type: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        structure(Webhook, {"type": type}, where="email.webhooks.shop")
    own = type in ("brevo", "mail", "postmark")
    assert ("of your own" in raised.value.fix, f"{type} shows" in raised.value.fix) == (own, not own)


@pytest.mark.parametrize(
    ("table", "code"),
    [({"type": "ses", "secrets": ["x" * 16]}, "CX9235"),
     ({"type": "mailgun", "topics": ["arn:aws:sns:eu-west-1:123456789012:mail"]}, "CX9235"),
     ({"type": "ses", "topics": ["arn:aws:sqs:eu-west-1:123456789012:mail"]}, "CX9235"),
     ({"type": "ses", "topics": ["*"]}, "CX9235"), ({"type": "ses", "topics": ["arn:aws:sns:*:*:*"]}, "CX9235"),
     ({"type": "mailgun", "secrets": ["x" * 16], "tolerance_s": float("nan")}, "CX9235"),
     ({"type": "mailgun", "secrets": ["x" * 16], "tolerance_s": 0.0}, "CX9235"),
     ({"type": "mandrill", "secrets": ["x" * 16]}, "CX1006"), ({"type": "mailgun", "secrets": [""]}, "CX1005"),
     ({"type": "mailgun", "secret": "x"}, "CX1001")],
)  # fmt: skip
def test_settings_that_do_not_fit(table: Any, code: str) -> None:
    with pytest.raises(ConfigurationError, match=code):
        structure(Webhook, table, where="email.webhooks.shop")


def test_no_secret_is_shown() -> None:
    shown = repr(
        structure(Webhook, {"type": "brevo", "secrets": ["hunter2-hunter2-hunter2"]}, where="email.webhooks.x")
    )
    assert "hunter2" not in shown


@pytest.mark.parametrize("name", ["", "A", "a/b", "a b", "{x}", "é", "a" * 65, "-a"])
def test_a_name_that_cannot_stand_in_a_path(name: str) -> None:
    with pytest.raises(ConfigurationError, match="CX9235"):
        check_name(name)


def test_the_digest_of_a_secret_is_compared_and_not_its_text() -> None:
    """Of two lengths a comparison would tell which is longer."""
    (check,) = checks_of(SCHEMES["secret"], [Secret("a long enough password")], where="shop")
    assert not check(b"", hashlib.sha256(b"a long enough password").digest())
