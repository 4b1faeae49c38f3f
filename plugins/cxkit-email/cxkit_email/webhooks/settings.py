"""The tables ``[email.webhooks.NAME]``: who may tell us what became of our messages, and how it proves itself."""

from __future__ import annotations

import re
from typing import Any, Final, Literal

import attrs

from cxkit.errors import ConfigurationError
from cxkit.settings import Secret

__all__ = ["Webhook", "check_name"]

_NAME: Final = re.compile("[a-z][a-z0-9_-]{0,63}")
_UNSIGNED: Final = ("brevo", "mail", "postmark")
"""Types that sign nothing, and send along a secret that you make."""
_TOPIC: Final = re.compile(r"arn:aws[a-z-]{0,16}:sns:[a-z0-9-]{1,32}:[0-9]{12}:[A-Za-z0-9_.-]{1,256}")


def _topics(_: object, attribute: attrs.Attribute[Any], value: tuple[str, ...]) -> None:
    if not all(_TOPIC.fullmatch(one) for one in value):
        fix = 'copy each from the console, like "arn:aws:sns:eu-west-1:123456789012:bounces"'
        raise _refusal(attribute.name, "names no topic", fix)


def _refusal(name: str, what: str, fix: str, code: str = "CX9235") -> ConfigurationError:
    error = ConfigurationError(f'"{name}" {what}', fix=fix, code=code)
    error.setting = name
    return error


@attrs.frozen(kw_only=True)
class Webhook:
    """One provider that calls ``{mount}/webhooks/NAME``.

    Raises:
        ConfigurationError: It could not prove itself, and is not said to be insecure.

    Example:
        >>> Webhook(type="mailgun", secrets=(Secret("key-0123456789abcdef"),)).tolerance_s is None
        True
    """

    type: Literal["brevo", "mail", "mailgun", "postmark", "sendgrid", "ses"]
    """Of which provider; ``mail``: whatever posts inbound mails as they came, a mail server of your own say."""
    secrets: tuple[Secret, ...] = ()
    """What the provider signs with (SendGrid: its public key), or sends along (the others). Any of them will do,
    so that one can take another's place."""
    topics: tuple[str, ...] = attrs.field(default=(), validator=_topics)
    """The topics of Amazon SNS that are believed, by their ARNs; for type ses instead of secrets."""
    insecure: bool = False
    """Whether to believe anybody who calls, without any proof: on your own machine, never elsewhere."""
    tolerance_s: float | None = attrs.field(default=None)
    """How far what Mailgun or SendGrid signed may be from now; None: 300 s. More, and what was missed in a longer
    outage is still taken; what somebody overheard, too."""

    @tolerance_s.validator
    def _tolerance(self, attribute: attrs.Attribute[Any], value: float | None) -> None:
        if value is not None and not 1 <= value <= 86_400:
            raise _refusal(attribute.name, "is out of its range", "give seconds, from 1 to 86400")

    def __attrs_post_init__(self) -> None:
        needed, other = ("topics", "secrets") if self.type == "ses" else ("secrets", "topics")
        if getattr(self, other):
            raise _refusal(other, f"is nothing that a webhook of type {self.type} has", f"give {needed} instead")
        if not getattr(self, needed) and not self.insecure:
            what = f"is missing: anybody could say what became of your messages as if it were {self.type}"
            shown = "make one of your own" if self.type in _UNSIGNED else f"{self.type} shows it"
            raise _refusal(needed, what, f'give it, best as "${{NAME}}"; {shown}', "CX9231")


def check_name(name: str) -> None:
    """That a webhook's name can stand in a path.

    Raises:
        ConfigurationError: It cannot.
    """
    if not _NAME.fullmatch(name):
        raise _refusal("webhooks", "has a name that cannot stand in a path", "use lower-case letters, digits, - and _")
