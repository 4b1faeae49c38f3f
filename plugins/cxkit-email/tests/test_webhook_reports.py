"""What providers tell, in our words. The payloads are of our own making, of the shape that each of them documents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxkit.model.message import BOUNCES, HAPPENINGS, Report
from cxkit_email.webhooks.providers import PROVIDERS, Parsed, parse
from cxkit_email.webhooks.providers.why import because

SEND = "0123456789abcdef" * 2
NANCY = "nancy@example.com"
AT = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)
EPOCH = int(AT.timestamp())
ISO = "2027-01-15T08:00:00.0000000Z"


def told(provider: str, said: Any, id: str | None = "id-1") -> Parsed:
    parsed = parse(provider, json.dumps(said).encode(), id=id)
    assert parsed is not None
    return parsed


def one(provider: str, said: Any, id: str | None = "id-1") -> Report:
    parsed = told(provider, said, id)
    assert parsed.unreadable == 0
    (report,) = parsed.reports
    assert report.provider == provider
    return report


# --- The shapes of each ---


def ses(kind: str, field: str = "", event: Mapping[str, Any] = {}, **mail: Any) -> dict[str, Any]:
    base = {
        "messageId": "ses-1",
        "timestamp": "2027-01-15T07:59:00Z",
        "destination": [NANCY],
        "source": "us@example.org",
    }
    said: dict[str, Any] = {"eventType": kind, "mail": {**base, **mail}}
    return said | ({field: {"timestamp": ISO, **event}} if field else {})


def ses_bounce(kind: str, finer: str, status: str | None = None, text: str | None = None) -> dict[str, Any]:
    recipient = {"emailAddress": NANCY, "action": "failed", "status": status, "diagnosticCode": text}
    return ses("Bounce", "bounce", {"bounceType": kind, "bounceSubType": finer, "bouncedRecipients": [recipient]})


def sendgrid(event: str, **fields: Any) -> list[dict[str, Any]]:
    return [{"event": event, "email": NANCY, "timestamp": EPOCH, "sg_event_id": "sg-1", "smtp-id": "<a@b>",
             "sg_message_id": "m-1.filter-5.6", **fields}]  # fmt: skip


def mailgun(event: str, **fields: Any) -> dict[str, Any]:
    signature = {"timestamp": str(EPOCH), "token": "id-1", "signature": "00"}
    headers = {"message-id": "m-1@example.org", "to": NANCY}
    data = {"event": event, "recipient": NANCY, "timestamp": EPOCH + 0.25, "id": "e", "message": {"headers": headers}}
    return {"signature": signature, "event-data": {**data, **fields}}


def failed(severity: str = "permanent", reason: str = "bounce", **status: Any) -> dict[str, Any]:
    return mailgun("failed", severity=severity, reason=reason, **{"delivery-status": status})


def postmark(record: str, **fields: Any) -> dict[str, Any]:
    return {"RecordType": record, "MessageID": "m-1", "Recipient": NANCY, "MessageStream": "outbound", **fields}


def pm_bounce(kind: str, text: str = "") -> dict[str, Any]:
    return postmark(
        "Bounce", Type=kind, ID=42, Email=NANCY, Details=text, BouncedAt="2027-01-15T04:00:00.1234567-04:00"
    )


def brevo(event: str, **fields: Any) -> dict[str, Any]:
    return {"event": event, "email": NANCY, "id": 7, "message-id": "<m-1@relay>", "ts_epoch": EPOCH * 1000, **fields}


OLD = {"subscriptionStatus": "OptIn", "topicName": "news"}
OUT = {"subscriptionStatus": "OptOut", "topicName": "news"}

HAPPENED = [
    ("ses", ses("Send", "send"), "sent", None),
    ("ses", ses("Delivery", "delivery", {"recipients": [NANCY]}), "delivered", None),
    ("ses", ses("DeliveryDelay", "deliveryDelay", {"delayType": "MailboxFull",
     "delayedRecipients": [{"emailAddress": NANCY}]}), "deferred", "mailbox_full"),
    ("ses", ses("Reject", "reject", {"reason": "Bad content"}), "rejected", "virus"),
    ("ses", ses("Rendering Failure", "failure"), "failed", "rendering"),
    ("ses", ses("Open", "open", {"userAgent": "UA"}), "opened", None),
    ("ses", ses("Click", "click", {"userAgent": "UA", "link": "https://shop.example/a"}), "clicked", None),
    ("ses", ses("Complaint", "complaint", {"complaintFeedbackType": "abuse",
     "complainedRecipients": [{"emailAddress": NANCY}]}), "complained", "abuse"),
    ("ses", ses("Complaint", "complaint", {"complaintFeedbackType": "not-spam",
     "complainedRecipients": [{"emailAddress": NANCY}]}), "unknown", "not_spam"),
    ("ses", ses("Complaint", "complaint", {"complaintSubType": "OnAccountSuppressionList",
     "complainedRecipients": [{"emailAddress": NANCY}]}), "rejected", "suppressed"),
    ("ses", ses("Subscription", "subscription", {"newTopicPreferences": {"unsubscribeAll": True}}),
     "unsubscribed", None),
    ("ses", ses("Subscription", "subscription", {"newTopicPreferences": {"unsubscribeAll": False,
     "topicSubscriptionStatus": [OUT, OLD]}}), "unsubscribed", "topics"),
    ("ses", ses("Subscription", "subscription", {"newTopicPreferences": {"topicSubscriptionStatus": [OLD]}}),
     "subscribed", None),
    ("ses", ses_bounce("Permanent", "Suppressed"), "rejected", "suppressed"),
    ("ses", ses_bounce("Permanent", "OnAccountSuppressionList"), "rejected", "suppressed"),
    ("ses", ses("Other thing"), "unknown", None),
    ("sendgrid", sendgrid("processed"), "queued", None),
    ("sendgrid", sendgrid("delivered", response="250 OK"), "delivered", None),
    ("sendgrid", sendgrid("deferred", response="400 later"), "deferred", None),
    ("sendgrid", sendgrid("dropped", reason="Bounced Address"), "rejected", "suppressed"),
    ("sendgrid", sendgrid("dropped", reason="Unsubscribed Address"), "rejected", "unsubscribed"),
    ("sendgrid", sendgrid("open", useragent="UA", sg_machine_open=True), "opened", "machine"),
    ("sendgrid", sendgrid("open", useragent="UA", sg_machine_open=False), "opened", None),
    ("sendgrid", sendgrid("click", useragent="UA", url="https://shop.example/a"), "clicked", None),
    ("sendgrid", sendgrid("spamreport"), "complained", None),
    ("sendgrid", sendgrid("group_unsubscribe", asm_group_id=1), "unsubscribed", None),
    ("sendgrid", sendgrid("group_resubscribe"), "subscribed", None),
    ("sendgrid", sendgrid("account_status_change"), "unknown", None),
    ("mailgun", mailgun("accepted"), "queued", None),
    ("mailgun", mailgun("delivered"), "delivered", None),
    ("mailgun", mailgun("rejected", reject={"reason": "Sandbox"}), "rejected", None),
    ("mailgun", failed("temporary", "generic", code=421), "deferred", None),
    ("mailgun", failed("permanent", "suppress-bounce", code=605), "rejected", "suppressed"),
    ("mailgun", failed("permanent", "suppress-unsubscribe", code=606), "rejected", "unsubscribed"),
    ("mailgun", mailgun("opened", **{"client-info": {"user-agent": "UA"}}), "opened", None),
    ("mailgun", mailgun("opened", **{"client-info": {"user-agent": "UA", "bot": "gmail"}}), "opened", "proxy"),
    ("mailgun", mailgun("clicked", url="https://shop.example/a", **{"client-info": {"user-agent": "UA"}}),
     "clicked", None),
    ("mailgun", mailgun("unsubscribed"), "unsubscribed", None),
    ("mailgun", mailgun("complained"), "complained", None),
    ("mailgun", mailgun("list_member_uploaded"), "unknown", None),
    ("postmark", postmark("Delivery", DeliveredAt=ISO), "delivered", None),
    ("postmark", postmark("Open", ReceivedAt=ISO, UserAgent="UA"), "opened", None),
    ("postmark", postmark("Click", ReceivedAt=ISO, UserAgent="UA", OriginalLink="https://shop.example/a"),
     "clicked", None),
    ("postmark", postmark("SpamComplaint", Type="SpamComplaint", ID=43, Email=NANCY, BouncedAt=ISO),
     "complained", None),
    ("postmark", postmark("SubscriptionChange", SuppressSending=True, SuppressionReason="ManualSuppression",
     ChangedAt=ISO), "unsubscribed", None),
    ("postmark", postmark("SubscriptionChange", SuppressSending=True, SuppressionReason="SpamComplaint",
     ChangedAt=ISO), "complained", None),
    ("postmark", postmark("SubscriptionChange", SuppressSending=False, ChangedAt=ISO), "subscribed", None),
    ("postmark", pm_bounce("Transient"), "deferred", None),
    ("postmark", pm_bounce("AutoResponder"), "autoresponded", None),
    ("postmark", pm_bounce("BadEmailAddress"), "rejected", "invalid"),
    ("postmark", pm_bounce("NewThing"), "unknown", None),
    ("postmark", postmark("SMTPSomething"), "unknown", None),
    ("brevo", brevo("request"), "queued", None),
    ("brevo", brevo("delivered"), "delivered", None),
    ("brevo", brevo("deferred", reason="450 later"), "deferred", None),
    ("brevo", brevo("blocked", reason="blocked: due to blacklist user"), "rejected", "suppressed"),
    ("brevo", brevo("invalid_email"), "rejected", "invalid"),
    ("brevo", brevo("error"), "failed", None),
    ("brevo", brevo("spam"), "complained", None),
    ("brevo", brevo("complaint"), "complained", None),
    ("brevo", brevo("unique_opened", user_agent="UA"), "opened", None),
    ("brevo", brevo("proxy_open", user_agent="UA"), "opened", "proxy"),
    ("brevo", brevo("click", user_agent="UA", link="https://shop.example/a"), "clicked", None),
    ("brevo", brevo("unsubscribe"), "unsubscribed", None),
    ("brevo", brevo("something_new"), "unknown", None),
]  # fmt: skip


@pytest.mark.parametrize(("provider", "said", "happened", "reason"), HAPPENED)
def test_what_happened(provider: str, said: Any, happened: str, reason: str | None) -> None:
    report = one(provider, said)
    assert (report.happened, report.reason) == (happened, reason)
    assert report.recipient == NANCY
    assert report.event_id
    if happened in ("opened", "clicked"):
        assert report.user_agent == "UA"
        assert report.url == ("https://shop.example/a" if happened == "clicked" else None)
    if happened != "unknown" or provider == "brevo":
        assert report.at is not None
        assert report.at.utcoffset() is not None
        assert abs((report.at - AT).total_seconds()) <= 60
    assert report.bounce is None


@pytest.mark.parametrize(
    ("provider", "provider_id"),
    [
        ("ses", "ses-1"),
        ("sendgrid", "m-1"),
        ("mailgun", "m-1@example.org"),
        ("postmark", "m-1"),
        ("brevo", "<m-1@relay>"),
    ],
)
def test_the_providers_own_ids(provider: str, provider_id: str) -> None:
    said = next(said for name, said, happened, _ in HAPPENED if (name, happened) == (provider, "delivered"))
    assert one(provider, said).provider_id == provider_id


def test_the_ids_of_reports() -> None:
    assert one("sendgrid", sendgrid("open")).event_id == "sg-1"
    assert one("mailgun", mailgun("opened"), "t0k3n").event_id == "t0k3n"
    assert one("ses", ses("Send", "send"), "sns-1").event_id == "sns-1"
    assert one("postmark", pm_bounce("HardBounce")).event_id == "Bounce/42"
    assert one("brevo", brevo("opened")).event_id == one("brevo", brevo("opened")).event_id
    assert one("brevo", brevo("opened")).event_id != one("brevo", brevo("opened", ts_epoch=1)).event_id


# --- Bounces ---

USER, FULL, POLICY = "550 5.1.1 no such user", "552 5.2.2 mailbox full", "550 5.7.1 refused by policy"
WHY = [
    ("ses", ses_bounce("Permanent", "General", "5.1.1", "smtp; " + USER), "user_unknown", "hard"),
    ("ses", ses_bounce("Permanent", "General", "5.7.1", "smtp; " + POLICY), "policy", "block"),
    ("ses", ses_bounce("Permanent", "NoEmail"), "user_unknown", "hard"),
    ("ses", ses_bounce("Transient", "General"), "other", "unknown"),
    ("ses", ses_bounce("Transient", "MailboxFull"), "mailbox_full", "soft"),
    ("ses", ses_bounce("Transient", "MessageTooLarge"), "too_large", "soft"),
    ("ses", ses_bounce("Transient", "ContentRejected"), "content_spam", "block"),
    ("ses", ses_bounce("Undetermined", "Undetermined"), "other", "unknown"),
    ("sendgrid", sendgrid("bounce", type="bounce", status="5.1.1", reason=USER), "user_unknown", "hard"),
    ("sendgrid", sendgrid("bounce", bounce_classification="Invalid Address"), "user_unknown", "hard"),
    ("sendgrid", sendgrid("bounce", bounce_classification="Reputation", status="5.1.1"), "reputation", "block"),
    ("sendgrid", sendgrid("bounce", bounce_classification="Frequency or Volume Too High"), "rate_limited", "block"),
    ("sendgrid", sendgrid("bounce", bounce_classification="Unclassified", status="5.2.2"), "mailbox_full", "soft"),
    ("sendgrid", sendgrid("bounce", type="blocked"), "blocked", "block"),
    ("sendgrid", sendgrid("bounce", type="bounce"), "other", "unknown"),
    ("mailgun", failed(code=550, message=USER), "user_unknown", "hard"),
    ("mailgun", failed(code=550, message=POLICY, **{"bounce-type": "hard"}), "policy", "block"),
    ("mailgun", failed(code=550, message="no", **{"bounce-type": "hard"}), "user_unknown", "hard"),
    (
        "mailgun",
        failed(code=552, message=FULL, **{"bounce-type": "soft", "enhanced-code": "5.2.2"}),
        "mailbox_full",
        "soft",
    ),
    ("mailgun", failed(reason="old", code=602), "deferred_expired", "soft"),
    ("mailgun", failed(reason="espblock", code=550), "blocked", "block"),
    ("postmark", pm_bounce("HardBounce", "smtp;" + USER), "user_unknown", "hard"),
    ("postmark", pm_bounce("HardBounce", "smtp;" + FULL), "mailbox_full", "soft"),
    ("postmark", pm_bounce("HardBounce"), "user_unknown", "hard"),
    ("postmark", pm_bounce("SoftBounce"), "other", "unknown"),
    ("postmark", pm_bounce("Blocked"), "blocked", "block"),
    ("postmark", pm_bounce("VirusNotification"), "content_virus", "block"),
    ("brevo", brevo("hard_bounce", reason=USER), "user_unknown", "hard"),
    ("brevo", brevo("hard_bounce", reason=POLICY), "policy", "block"),
    ("brevo", brevo("soft_bounce", reason=FULL), "mailbox_full", "soft"),
    ("brevo", brevo("soft_bounce"), "other", "unknown"),
]


@pytest.mark.parametrize(("provider", "said", "reason", "kind"), WHY)
def test_why_it_bounced(provider: str, said: Any, reason: str, kind: str) -> None:
    report = one(provider, said)
    assert report.happened == "bounced"
    assert report.bounce is not None
    assert (report.bounce.reason, report.bounce.kind) == (reason, kind)
    assert NANCY not in repr(report)


def test_the_codes_of_a_bounce() -> None:
    bounce = one("mailgun", failed(code=552, message=FULL, **{"enhanced-code": "5.2.2"})).bounce
    assert bounce is not None
    assert (bounce.smtp, bounce.status, bounce.diagnostic) == (552, "5.2.2", FULL)


@settings(deadline=None)
@given(st.text(max_size=200), st.text(max_size=12) | st.none(), st.integers() | st.none())
def test_any_text_has_a_reason(text: str, status: str | None, smtp: int | None) -> None:
    assert because(text=text, status=status, smtp=smtp).reason in BOUNCES


# --- Our id, and what else the app gave the provider to return ---


def returned(provider: str) -> Any:
    """What a provider does with the header that asks for the id, as it is documented."""
    name, value = PROVIDERS[provider].asking(SEND)
    if provider == "ses":
        assert name == "X-SES-MESSAGE-TAGS"
        key, _, text = value.partition("=")
        return ses("Send", "send", tags={key: [text], "ses:caller-identity": ["us"], "campaign": ["birthday"]})
    if provider == "sendgrid":
        assert name == "X-SMTPAPI"
        return sendgrid("delivered", campaign="birthday", **json.loads(value)["unique_args"])
    if provider == "mailgun":
        assert name == "X-Mailgun-Variables"
        return mailgun("delivered", **{"user-variables": {**json.loads(value), "campaign": "birthday"}})
    if provider == "postmark":
        metadata = {name.removeprefix("X-PM-Metadata-"): value, "campaign": "birthday"}
        return postmark("Delivery", DeliveredAt=ISO, Metadata=metadata)
    assert name == "X-Mailin-custom"
    return brevo("delivered", **{name: json.dumps({**json.loads(value), "campaign": "birthday"})})


@pytest.mark.parametrize("provider", PROVIDERS)
def test_our_id_comes_back(provider: str) -> None:
    report = one(provider, returned(provider))
    assert report.send == SEND
    assert report.metadata == {"cx_send": SEND, "campaign": "birthday"}


def test_ses_returns_it_in_a_header_too() -> None:
    headers = [{"name": "Subject", "value": SEND}, {"name": "x-CX-send", "value": SEND}]
    assert one("ses", ses("Send", "send", headers=headers)).send == SEND


@pytest.mark.parametrize("value", ["", "nancy", SEND.upper(), SEND + "0", SEND[:-1], SEND + "\n", 5, None, [SEND], {}])
def test_what_is_no_id_of_ours(value: Any) -> None:
    assert one("sendgrid", sendgrid("open", cx_send=value)).send is None
    assert one("mailgun", mailgun("opened", **{"user-variables": {"cx_send": value}})).send is None
    assert one("postmark", postmark("Open", Metadata={"cx_send": value})).send is None
    assert one("brevo", brevo("opened", **{"X-Mailin-custom": value})).send is None


def test_tags() -> None:
    assert one("sendgrid", sendgrid("open", category="a")).tags == ("a",)
    assert one("sendgrid", sendgrid("open", category=["a", "b", 3])).tags == ("a", "b")
    assert one("mailgun", mailgun("opened", tags=["a", "b"])).tags == ("a", "b")
    assert one("postmark", postmark("Open", Tag="a")).tags == ("a",)
    assert one("brevo", brevo("opened", tags=["a"], tag='["a"]')).tags == ("a",)
    assert one("brevo", brevo("opened", tag="a")).tags == ("a",)


# --- Several, and what cannot be read ---


def test_each_recipient_has_a_report_with_an_id_of_its_own() -> None:
    recipients = [f"{number}@example.com" for number in range(50)]
    reports = told("ses", ses("Send", "send", destination=recipients), "sns-1").reports
    assert [report.recipient for report in reports] == recipients
    assert len({report.event_id for report in reports}) == 50


def test_a_part_that_cannot_be_read_is_counted_and_the_others_are_told() -> None:
    parsed = told(
        "sendgrid", [*sendgrid("open"), None, 7, {}, {"event": 5}, "x", [], *sendgrid("click", sg_event_id="2")]
    )
    assert [report.happened for report in parsed.reports] == ["opened", "clicked"]
    assert parsed.unreadable == 6


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    "said", [[], {}, 0, "", "text", True, [[]], [None], {"event": None}, {"mail": {}, "eventType": "x"}]
)
def test_json_that_says_nothing(provider: str, said: Any) -> None:
    parsed = told(provider, said)
    assert parsed.reports == ()
    assert parsed.unreadable == (0 if said == [] and provider in ("sendgrid", "brevo") else 1)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"\xff\xfe{}", b"\xef\xbb\xbf{}", b"\x1f\x8b\x08\x00\x00", b"event=open&email=a", b"{",
     b"[" * 1_000_000,
     b'{"a":' * 100_000, b"NaN", b'{"timestamp": NaN}', b'{"timestamp": 1e999}', b'"\\ud800"', b"null",
     b"--x\r\n\r\n{}"],
    ids=range(15),
)  # fmt: skip
def test_what_is_no_json(provider: str, body: bytes) -> None:
    assert parse(provider, body) is None


def test_what_amazon_says_first_of_a_new_topic() -> None:
    greeting = b"Successfully validated SNS topic for Amazon SES event publishing."
    assert parse("ses", greeting) == Parsed()
    assert parse("brevo", greeting) is None


def test_of_two_equal_keys_the_last_counts() -> None:
    parsed = parse("brevo", b'{"event": "opened", "event": "delivered"}')
    assert parsed is not None
    assert [report.happened for report in parsed.reports] == ["delivered"]


@pytest.mark.parametrize("at", [-1, "NaN", "inf", "1e300", 10**40, 10**15, True, [], {}, None, "x", "-5"])
def test_times_that_are_none(at: Any) -> None:
    assert one("sendgrid", sendgrid("open", timestamp=at)).at is None
    assert one("brevo", brevo("opened", ts_epoch=at)).at is None
    assert one("mailgun", mailgun("opened", timestamp=at)).at is None
    assert one("postmark", postmark("Open", ReceivedAt=at)).at is None


def test_what_is_long_is_cut_and_what_is_many_is_bounded() -> None:
    many = {f"key{number}": "v" * 10_000 for number in range(1_000)} | {"k" * 10_000: "v"}
    report = one("mailgun", mailgun("clicked", url="https://x/" + "a" * 100_000, tags=["t" * 1_000] * 1_000,
                                    **{"user-variables": many}))  # fmt: skip
    assert len(report.metadata) == len(report.tags) == 32
    assert max(map(len, [*report.metadata.values(), *report.tags])) == 512
    assert report.url is not None
    assert len(report.url) == 2_048
    assert one("postmark", postmark("Open", MessageID="x" * 257)).provider_id is None


KEYS = sorted({
    "event", "email", "timestamp", "eventType", "mail", "bounce", "bounceType", "bouncedRecipients", "destination",
    "tags", "headers", "name", "value", "event-data", "delivery-status", "user-variables", "client-info", "message",
    "RecordType", "Type", "Metadata", "ID", "Details", "X-Mailin-custom", "ts_epoch", "reason", "status", "category",
    "code", "severity", "complaint", "complainedRecipients", "subscription", "newTopicPreferences",
    "topicSubscriptionStatus", "cx_send",
})  # fmt: skip
WORDS = ["Bounce", "bounce", "failed", "open", "Open", "hard_bounce", "Permanent", "Complaint", "Subscription",
         "Delivery", "SubscriptionChange", "HardBounce", "Click", "DeliveryDelay", "opened", SEND, NANCY,
         "5.1.1"]  # fmt: skip
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12) | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner),
    max_leaves=20,
)  # fmt: skip


@settings(deadline=None)
@given(st.sampled_from(sorted(PROVIDERS)), ANY_JSON)
def test_no_json_raises(provider: str, said: Any) -> None:
    parsed = parse(provider, json.dumps(said).encode())
    if said is None:
        assert parsed is None
        return
    assert parsed is not None
    for report in parsed.reports:
        assert report.happened in HAPPENINGS
        assert report.event_id
        assert report.at is None or report.at.tzinfo is UTC


@settings(deadline=None)
@given(st.sampled_from(sorted(PROVIDERS)), st.binary(max_size=200))
def test_no_bytes_raise(provider: str, body: bytes) -> None:
    assert parse(provider, body) == parse(provider, body)


def test_a_number_of_thousands_of_digits() -> None:
    body = b'[{"event": "open", "sg_event_id": %s, "timestamp": %s, "x": %s}]' % ((b"9" * 4_000,) * 3)
    parsed = parse("sendgrid", body)
    assert parsed is None or parsed.reports[0].at is None
