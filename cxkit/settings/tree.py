"""The tree of settings: frozen values that check their own ranges."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import attrs

from cxkit.errors import ConfigurationError, nearest
from cxkit.model import PURPOSES, Choice
from cxkit.model.consent import TopicKind
from cxkit.model.touchpoint import TOUCHPOINT, WORD
from cxkit.settings.client_ip import ClientIP
from cxkit.settings.sealed import RawTable, Secret, raw

__all__ = [
    "FILLED",
    "REST",
    "CapTable",
    "Consent",
    "ExporterTable",
    "IdentifierTable",
    "Identity",
    "Keys",
    "Plugins",
    "Profile",
    "Queue",
    "Redact",
    "Settings",
    "Spool",
    "StoreTable",
    "TopicTable",
    "Web",
]

_MOST: Final = 2**63 - 1
_TEN_YEARS_S: Final = 315_360_000

# What a field is, where it is not a setting of its own name.
REST: Final = {"cxkit": "takes the keys that no other field knows"}
FILLED: Final = {"cxkit": "filled by load()"}

_ID_FIX: Final = 'write it like { ajs_anonymous_id = "segment_id" }'

Validator = Callable[[Any, "attrs.Attribute[Any]", Any], None]


def _refused(attribute: attrs.Attribute[Any], what: str, fix: str, code: str = "CX1006") -> ConfigurationError:
    return ConfigurationError(f'"{attribute.name}" {what}', fix=fix, code=code)


def _between(low: float, high: int) -> Validator:
    def check(_: object, attribute: attrs.Attribute[Any], value: float) -> None:
        if not low <= value <= high:  # so written, it is true of NaN too
            raise _refused(attribute, "is out of its range", f"give a number from {low} to {high}")

    return check


def _shaped(pattern: str, fix: str) -> Validator:
    shape = re.compile(pattern)

    def check(_: object, attribute: attrs.Attribute[Any], value: str | Iterable[str]) -> None:
        if not all(shape.fullmatch(one) for one in ([value] if isinstance(value, str) else value)):
            raise _refused(attribute, "holds a character or a form that is not allowed", fix)

    return check


def _touchpoint_names(_: object, attribute: attrs.Attribute[Any], value: Iterable[str]) -> None:
    if not all(TOUCHPOINT.fullmatch(one) and len(one) <= 100 for one in value):
        raise _refused(attribute, "names no touchpoint", 'name each like "survey.answered"')


def _id_names(_: object, attribute: attrs.Attribute[Any], value: Mapping[str, str]) -> None:
    for name, type in value.items():
        if not re.fullmatch(r"[A-Za-z0-9_.!~-]{1,64}", name) or not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", type):
            raise _refused(attribute, "names no cookie or header, or no type of identifier", _ID_FIX)


def _long_enough(_: object, attribute: attrs.Attribute[Any], value: Secret | Iterable[Secret] | None) -> None:
    secrets = [value] if isinstance(value, Secret) else value or ()
    if any(len(one.reveal()) < 16 for one in secrets):
        fix = 'make one with: python -c "import secrets; print(secrets.token_hex(32))"'
        raise _refused(attribute, "holds a secret of fewer than 16 characters", fix, "CX1010")


def _known_purposes(_: object, attribute: attrs.Attribute[Any], value: Iterable[str] | None) -> None:
    for purpose in sorted(set(value or ()) - set(PURPOSES)):
        raise _refused(attribute, "holds a purpose that is not known", nearest(purpose[:64], PURPOSES))


def _askable(_: object, attribute: attrs.Attribute[Any], value: Iterable[str]) -> None:
    _known_purposes(_, attribute, value)
    if "necessary" in value:
        raise _refused(attribute, 'holds "necessary", which is nobody\'s choice', "leave it out")


def _word(_: object, attribute: attrs.Attribute[Any], value: str | None) -> None:
    _words(_, attribute, () if value is None else (value,))


def _words(_: object, attribute: attrs.Attribute[Any], value: Iterable[str]) -> None:
    if not all(WORD.fullmatch(one) for one in value):
        raise _refused(attribute, "names a channel that is not one lower-case word", 'use a word like "email"')


def _time_of_day(_: object, attribute: attrs.Attribute[Any], value: str | None) -> None:
    if value is not None and not re.fullmatch("([01][0-9]|2[0-3]):[0-5][0-9]", value):
        raise _refused(attribute, "is not a time of day", 'write it like "21:00"')


def _zone(_: object, attribute: attrs.Attribute[Any], value: str | None) -> None:
    if value is None:
        return
    from zoneinfo import ZoneInfo  # 4 ms that most do without

    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError):  # KeyError: there is none of that name
        fix = 'name it like "Europe/Paris"; where this machine has no zones, install tzdata'
        raise _refused(attribute, "is not a time zone that is known here", fix) from None


_count = _between(1, _MOST)
_seconds = _between(0, _TEN_YEARS_S)
_lasting = _between(1, _TEN_YEARS_S)


@attrs.frozen(kw_only=True)
class Queue:
    """Where interactions wait for the spool, in memory."""

    max_bytes: int = attrs.field(default=33_554_432, validator=_count)


@attrs.frozen(kw_only=True)
class Spool:
    """Where interactions wait for the exporters, on disk."""

    max_bytes: int = attrs.field(default=536_870_912, validator=_count)
    max_records: int = attrs.field(default=1_000_000, validator=_count)
    max_age_s: float = attrs.field(default=604_800.0, validator=_lasting)
    segment_bytes: int = attrs.field(default=8_388_608, validator=_count)
    sync_interval_s: float = attrs.field(default=0.2, validator=_seconds)
    """At most this long until it is on disk for good; 0 is after every write."""

    def __attrs_post_init__(self) -> None:
        if self.segment_bytes > self.max_bytes:
            raise ConfigurationError(
                '"segment_bytes" is more than the whole spool may hold',
                fix="make it a small part of spool.max_bytes",
                code="CX1006",
            )


@attrs.frozen(kw_only=True)
class Keys:
    """Secrets of at least 16 characters; what is not given is generated once."""

    signing: tuple[Secret, ...] = attrs.field(default=(), validator=_long_enough)
    """The newest first: it signs, all verify."""
    identifier: Secret | None = attrs.field(default=None, validator=_long_enough)
    """Permanent: another one makes every customer a stranger."""


@attrs.frozen(kw_only=True)
class Consent:
    """What holds until a person chooses."""

    policy: str = "strict"
    """A policy's name, or ``regional``: the one of the person's region."""
    before_choice: Literal["hold", "anonymise", "drop"] = "anonymise"


@attrs.frozen(kw_only=True)
class Profile:
    """What is kept of a person besides what they said."""

    remember: bool = True
    """Whether the last contacts of people who allow ``personalization`` are kept in the store."""


@attrs.frozen(kw_only=True)
class Web:
    """What every web plugin does alike."""

    exclude: tuple[str, ...] = attrs.field(
        default=("/favicon.ico", "/robots.txt", "/static/", "/healthz"),
        validator=_shaped("/.*", "start each path with a slash"),
    )
    visitor_max_age_s: int = attrs.field(default=34_128_000, validator=_lasting)
    """395 days, about 13 months."""
    consent_max_age_s: int = attrs.field(default=15_552_000, validator=_lasting)
    """180 days."""
    cookie_prefix: str = attrs.field(
        default="cxkit", validator=_shaped("[A-Za-z0-9_-]{1,32}", "use up to 32 letters, digits, - and _")
    )
    asked: tuple[str, ...] = attrs.field(
        default=("analytics", "personalization", "profiling", "advertising"), validator=_askable
    )
    """The purposes that the banner and the page of choices ask about, in their order."""
    mount: str = attrs.field(
        default="/cx", validator=_shaped("(/[A-Za-z0-9_.~-]+)*", 'write it like "/cx"; "" serves nothing at all')
    )
    """Below which path cxkit's own pages and endpoints are served."""
    origins: tuple[str, ...] = attrs.field(
        default=(), validator=_shaped(r"https?://[a-z0-9.-]+(:[0-9]+)?", 'write each like "https://www.example.com"')
    )
    """Further sites whose pages may speak to the endpoints."""
    users: bool = True
    """Whether whom the framework knows as signed in, when the app has asked it, counts as a login."""
    id_cookies: Mapping[str, str] = attrs.field(factory=dict, validator=_id_names)
    """Cookies in which a front end keeps an identifier of its own, to the identifier's type: taken as a claim."""
    id_headers: Mapping[str, str] = attrs.field(factory=dict, validator=_id_names)
    """Headers, likewise."""
    client_ip: ClientIP = attrs.field(factory=ClientIP)
    routes: tuple[str, ...] = attrs.field(
        default=(),
        validator=_shaped(
            r"(?=/)(/(\{[A-Za-z_][A-Za-z0-9_]*\}|[^/{}?#\s]+))*/?", 'write each as a template like "/orders/{id}"'
        ),
    )
    """Pages that change in the browser without the server being asked, as templates: the path itself is not kept."""
    beacon_touchpoints: tuple[str, ...] = attrs.field(default=(), validator=_touchpoint_names)
    """Declared touchpoints that pages may capture with ``cx.capture``: anybody may."""
    beacon_per_minute: int = attrs.field(default=6000, validator=_between(1, 1_000_000))
    """How many events of the beacon are taken from one address in a minute."""


@attrs.frozen(kw_only=True)
class Redact:
    """Names of properties whose values are hidden, beyond the built-in ones; and those that are not."""

    extra: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Plugins:
    """Which third-party plugins may load. None: all that are installed."""

    allow: tuple[str, ...] | None = None
    block: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class ExporterTable:
    """``[exporters.NAME]``: what all kinds have in common, and the options of the kind itself."""

    type: str
    purposes: frozenset[str] | None = attrs.field(default=None, validator=_known_purposes)
    """None: those its kind declares."""
    deadline_s: float = attrs.field(default=15.0, validator=_between(0.001, _TEN_YEARS_S))
    max_batch_records: int = attrs.field(default=500, validator=_count)
    max_batch_bytes: int = attrs.field(default=1_000_000, validator=_count)
    options: RawTable = attrs.field(factory=RawTable, converter=raw, metadata=REST)


@attrs.frozen(kw_only=True)
class StoreTable:
    """``[store]``: the kind of store, and its options."""

    type: str = "sqlite"
    options: RawTable = attrs.field(factory=RawTable, converter=raw, metadata=REST)


def _raw_each(tables: Mapping[str, Mapping[str, object]]) -> Mapping[str, RawTable]:
    return {name: raw(table) for name, table in tables.items()}


@attrs.frozen(kw_only=True)
class TopicTable:
    """``[topics.NAME]``: something that is sent."""

    kind: TopicKind = "marketing"
    defaults: Mapping[str, Choice] = attrs.field(factory=dict, validator=_words)
    """Channel to what holds there before anybody chose."""


@attrs.frozen(kw_only=True)
class CapTable:
    """``[frequency_caps.NAME]``: at most so many messages to one person in any time of that length."""

    most: int = attrs.field(validator=_between(0, 100))
    window_s: float = attrs.field(validator=_lasting)
    kind: Literal["service", "marketing"] | None = None
    """Of this kind only; likewise topic and channel. None: of any."""
    topic: str | None = None
    channel: str | None = attrs.field(default=None, validator=_word)


@attrs.frozen(kw_only=True)
class QuietHours:
    """When only what is transactional is sent, by the person's own clock."""

    start: str | None = attrs.field(default=None, validator=_time_of_day)
    end: str | None = attrs.field(default=None, validator=_time_of_day)
    zone: str | None = attrs.field(default=None, validator=_zone)
    """Of those whose own zone is not known."""

    def __attrs_post_init__(self) -> None:
        given = {"start": self.start, "end": self.end, "zone": self.zone}
        missing = [name for name, value in given.items() if value is None]
        if missing and len(missing) < len(given):
            raise ConfigurationError(
                f'quiet hours have no "{missing[-1]}"',
                fix='give all three, e.g. start = "21:00", end = "08:00", zone = "Europe/Paris"',
                code="CX1007",
            )


_OF_IDENTIFIERS: Final = ("identifiers", "[a-z][a-z0-9_]{0,63}", "up to 64 lower-case letters, digits and _")
_OF_EXPORTERS: Final = ("exporters", "[a-z][a-z0-9]*(_[a-z0-9]+)*", "lower-case letters, digits and single _")
_OF_TOPICS: Final = ("topics", WORD.pattern, "up to 32 lower-case letters, digits, _ and -")


def _names(noun: str, pattern: str, form: str) -> Validator:
    shape = re.compile(pattern)

    def check(_: object, attribute: attrs.Attribute[Any], value: Iterable[str]) -> None:
        for name in value:
            if not shape.fullmatch(name):
                setting, fix = f"{attribute.name}.{name}", f"name {noun} in {form}"
                raise _refused_at(setting, "has a name that is not allowed", fix)

    return check


def _declared_topics(settings: Settings, _: object, value: Mapping[str, CapTable]) -> None:
    for name, cap in value.items():
        if settings.topics and cap.topic is not None and cap.topic not in settings.topics:
            fix = nearest(cap.topic[:64], settings.topics)
            raise _refused_at(f"frequency_caps.{name}.topic", "is a topic that is not declared", fix)


def _refused_at(setting: str, what: str, fix: str) -> ConfigurationError:
    error = ConfigurationError(f'"{setting}" {what}', fix=fix, code="CX1006")
    error.setting = setting
    return error


@attrs.frozen(kw_only=True)
class IdentifierTable:
    """``[identity.types.NAME]``: what identifiers of a type are worth. None: as it is without being set."""

    kind: Literal["strong", "contact", "device"] | None = None
    unique: bool | None = None
    most: int | None = attrs.field(default=None, validator=attrs.validators.optional(_between(1, 50)))
    within_s: float | None = attrs.field(default=None, validator=attrs.validators.optional(_seconds))
    """0: ever."""
    priority: int | None = attrs.field(default=None, validator=attrs.validators.optional(_between(0, 100)))


@attrs.frozen(kw_only=True)
class Identity:
    """Which identifiers there are, and which identify nobody."""

    blocked: tuple[str, ...] = ()
    kiosk: bool = False
    types: Mapping[str, IdentifierTable] = attrs.field(factory=dict, validator=_names(*_OF_IDENTIFIERS))


@attrs.frozen(kw_only=True)
class Settings:
    """All settings, checked as far as the core knows them. Made by `load`.

    Example:
        >>> Settings(queue=Queue(max_bytes=1_000_000)).spool.max_age_s
        604800.0
    """

    service: str = attrs.field(
        default="app",
        validator=_shaped("[A-Za-z0-9._~-]{1,100}", "use up to 100 letters, digits and . _ ~ -"),
    )
    strict: bool = False
    development: bool = False
    directory: Path = Path(".cxkit")
    durability: Literal["queue", "write", "sync"] = "queue"
    exit_timeout_s: float = attrs.field(default=2.0, validator=_seconds)
    store_budget_s: float = attrs.field(default=0.05, validator=_seconds)
    queue: Queue = Queue()
    spool: Spool = Spool()
    keys: Keys = Keys()
    consent: Consent = Consent()
    identity: Identity = Identity()
    profile: Profile = Profile()
    web: Web = Web()
    redact: Redact = Redact()
    plugins: Plugins = Plugins()
    store: StoreTable = StoreTable()
    exporters: Mapping[str, ExporterTable] = attrs.field(factory=dict, validator=_names(*_OF_EXPORTERS))
    topics: Mapping[str, TopicTable] = attrs.field(factory=dict, validator=_names(*_OF_TOPICS))
    frequency_caps: Mapping[str, CapTable] = attrs.field(factory=dict, validator=_declared_topics)
    quiet_hours: QuietHours = QuietHours()
    experiences: Mapping[str, RawTable] = attrs.field(factory=dict, converter=_raw_each)
    """Raw: name of an experience to its table."""
    tables: Mapping[str, RawTable] = attrs.field(factory=dict, converter=_raw_each, metadata=REST)
    """Raw: the tables the core does not know, for plugins to claim."""
    origins: Mapping[str, str] = attrs.field(factory=dict, eq=False, metadata=FILLED)
    """Dotted setting to ``file cxkit.toml``, ``env CXKIT_STRICT`` or ``code``; the rest are defaults."""
