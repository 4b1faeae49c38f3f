"""The tree of settings: frozen values that check their own ranges."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import attrs

from cxkit.errors import ConfigurationError, nearest
from cxkit.model import Choice
from cxkit.model.consent import TopicKind
from cxkit.model.touchpoint import WORD
from cxkit.settings.client_ip import ClientIP
from cxkit.settings.ranges import (
    TEN_YEARS_S,
    Validator,
    askable,
    between,
    count,
    id_names,
    known_purposes,
    lasting,
    long_enough,
    seconds,
    shaped,
    time_of_day,
    touchpoint_names,
    word,
    words,
    zone,
)
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

# What a field is, where it is not a setting of its own name.
REST: Final = {"cxkit": "takes the keys that no other field knows"}
FILLED: Final = {"cxkit": "filled by load()"}


@attrs.frozen(kw_only=True)
class Queue:
    """Where interactions wait for the spool, in memory."""

    max_bytes: int = attrs.field(default=33_554_432, validator=count)


@attrs.frozen(kw_only=True)
class Spool:
    """Where interactions wait for the exporters, on disk."""

    max_bytes: int = attrs.field(default=536_870_912, validator=count)
    max_records: int = attrs.field(default=1_000_000, validator=count)
    max_age_s: float = attrs.field(default=604_800.0, validator=lasting)
    segment_bytes: int = attrs.field(default=8_388_608, validator=count)
    sync_interval_s: float = attrs.field(default=0.2, validator=seconds)
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

    signing: tuple[Secret, ...] = attrs.field(default=(), validator=long_enough)
    """The newest first: it signs, all verify."""
    identifier: Secret | None = attrs.field(default=None, validator=long_enough)
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
        validator=shaped("/.*", "start each path with a slash"),
    )
    visitor_max_age_s: int = attrs.field(default=34_128_000, validator=lasting)
    """395 days, about 13 months."""
    consent_max_age_s: int = attrs.field(default=15_552_000, validator=lasting)
    """180 days."""
    cookie_prefix: str = attrs.field(
        default="cxkit", validator=shaped("[A-Za-z0-9_-]{1,32}", "use up to 32 letters, digits, - and _")
    )
    asked: tuple[str, ...] = attrs.field(
        default=("analytics", "personalization", "profiling", "advertising"), validator=askable
    )
    """The purposes that the banner and the page of choices ask about, in their order."""
    mount: str = attrs.field(
        default="/cx", validator=shaped("(/[A-Za-z0-9_.~-]+)*", 'write it like "/cx"; "" serves nothing at all')
    )
    """Below which path cxkit's own pages and endpoints are served."""
    origins: tuple[str, ...] = attrs.field(
        default=(), validator=shaped(r"https?://[a-z0-9.-]+(:[0-9]+)?", 'write each like "https://www.example.com"')
    )
    """Further sites whose pages may speak to the endpoints."""
    users: bool = True
    """Whether whom the framework knows as signed in, when the app has asked it, counts as a login."""
    id_cookies: Mapping[str, str] = attrs.field(factory=dict, validator=id_names)
    """Cookies in which a front end keeps an identifier of its own, to the identifier's type: taken as a claim."""
    id_headers: Mapping[str, str] = attrs.field(factory=dict, validator=id_names)
    """Headers, likewise."""
    client_ip: ClientIP = attrs.field(factory=ClientIP)
    routes: tuple[str, ...] = attrs.field(
        default=(),
        validator=shaped(
            r"(?=/)(/(\{[A-Za-z_][A-Za-z0-9_]*\}|[^/{}?#\s]+))*/?", 'write each as a template like "/orders/{id}"'
        ),
    )
    """Pages that change in the browser without the server being asked, as templates: the path itself is not kept."""
    accept_ch: tuple[str, ...] = attrs.field(
        default=(), validator=shaped("[A-Za-z][A-Za-z0-9-]{0,63}", 'name headers like "Sec-CH-Viewport-Width"')
    )
    """Client hints that pages ask browsers to send along from then on."""
    beacon_touchpoints: tuple[str, ...] = attrs.field(default=(), validator=touchpoint_names)
    """Declared touchpoints that pages may capture with ``cx.capture``: anybody may."""
    beacon_per_minute: int = attrs.field(default=6000, validator=between(1, 1_000_000))
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
    purposes: frozenset[str] | None = attrs.field(default=None, validator=known_purposes)
    """None: those its kind declares."""
    deadline_s: float = attrs.field(default=15.0, validator=between(0.001, TEN_YEARS_S))
    max_batch_records: int = attrs.field(default=500, validator=count)
    max_batch_bytes: int = attrs.field(default=1_000_000, validator=count)
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
    defaults: Mapping[str, Choice] = attrs.field(factory=dict, validator=words)
    """Channel to what holds there before anybody chose."""


@attrs.frozen(kw_only=True)
class CapTable:
    """``[frequency_caps.NAME]``: at most so many messages to one person in any time of that length."""

    most: int = attrs.field(validator=between(0, 100))
    window_s: float = attrs.field(validator=lasting)
    kind: Literal["service", "marketing"] | None = None
    """Of this kind only; likewise topic and channel. None: of any."""
    topic: str | None = None
    channel: str | None = attrs.field(default=None, validator=word)


@attrs.frozen(kw_only=True)
class QuietHours:
    """When only what is transactional is sent, by the person's own clock."""

    start: str | None = attrs.field(default=None, validator=time_of_day)
    end: str | None = attrs.field(default=None, validator=time_of_day)
    zone: str | None = attrs.field(default=None, validator=zone)
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
    most: int | None = attrs.field(default=None, validator=attrs.validators.optional(between(1, 50)))
    within_s: float | None = attrs.field(default=None, validator=attrs.validators.optional(seconds))
    """0: ever."""
    priority: int | None = attrs.field(default=None, validator=attrs.validators.optional(between(0, 100)))


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
        validator=shaped("[A-Za-z0-9._~-]{1,100}", "use up to 100 letters, digits and . _ ~ -"),
    )
    strict: bool = False
    development: bool = False
    directory: Path = Path(".cxkit")
    durability: Literal["queue", "write", "sync"] = "queue"
    exit_timeout_s: float = attrs.field(default=2.0, validator=seconds)
    store_budget_s: float = attrs.field(default=0.05, validator=seconds)
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
    experiences_file: Path | None = None
    """A file with tables of experiences alone, which may change while the process runs."""
    journeys: Mapping[str, RawTable] = attrs.field(factory=dict, converter=_raw_each)
    """Raw: name of a journey to its table."""
    tables: Mapping[str, RawTable] = attrs.field(factory=dict, converter=_raw_each, metadata=REST)
    """Raw: the tables the core does not know, for plugins to claim."""
    origins: Mapping[str, str] = attrs.field(factory=dict, eq=False, metadata=FILLED)
    """Dotted setting to ``file cxkit.toml``, ``env CXKIT_STRICT`` or ``code``; the rest are defaults."""
