"""What may be seen: names and fields that hide their values, URLs without credentials, campaigns and click ids.

A key is judged by its words: ``X-Api-Key``, ``x_api_key``, ``xApiKey`` and ``X API key`` are one
key. In this order, and the first rule that knows the key decides:

1. The names an operator adds hide, the names an operator keeps do not. Both are whole keys, and a
   name in both lists hides.
2. A key *about* a secret does not hide: ``token_count``, ``has_password``, ``cookie_policy``.
3. A **fragment** anywhere hides: ``mysqlPasswordOld`` has "password". So does a **word** of its
   own (``card_cvv``), an **ending** (``csrfToken`` ends with "token", and so does ``token_value``,
   as "value" adds nothing) and a few **whole** keys (``auth``).

So ``tokenizer_version``, ``secretary``, ``author`` and ``session_idle_s`` do not hide, nor do
``tokens`` in the plural, which count what a language model used. In doubt the value hides; ``keep``
brings it back. Numbers of accounts and persons (IBAN, cards, social security) count as secrets,
names and addresses do not: what a property may hold beyond secrets is for consent to decide.

A class hides a field by leaving it out of its ``repr``. Fields are read as they are stored; nothing
of the app's is run: no property, no ``__getattr__``, no descriptor written in Python.
"""

from __future__ import annotations

import dataclasses
import re
import types
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final
from urllib.parse import unquote

import attrs
import msgspec

from cxkit.capture.scan import RELATIVE
from cxkit.rules.acquisition import tells_acquisition

__all__ = [
    "ABSENT",
    "HIDDEN",
    "REDACTED",
    "Redactor",
    "bases",
    "encodable",
    "fields",
    "stored",
    "type_name",
]

REDACTED: Final = "[redacted]"
"""What stands in the place of a value that hides."""
HIDDEN: Final = object()
"""What `fields` gives for a field that hides its value."""
ABSENT: Final = object()
"""What `stored` gives for what is not stored."""

_FRAGMENTS: Final = (
    # passwords, in a few languages
    "password passwd passphrase passwort kennwort wachtwoord motdepasse contrasena contrasenya "
    # keys, credentials, one-time codes
    "apikey secretkey privatekey signingkey encryptionkey masterkey sshkey credential csrf xsrf "
    "clientsecret accesstoken refreshtoken authtoken securitycode verificationcode onetimecode "
    "recoverycode backupcode "
    # cards and persons
    "creditcard debitcard cardnumber socialsecurity passportnumber"
).split()
_WORDS: Final = frozenset("pwd jwt otp totp ssn iban cvv cvc".split())
_ENDINGS: Final = (
    *"token secret secrets cookie cookies authorization bearer accesskey".split(),
    *"sessionid sessionkey sessid cardno ccnumber amzsignature googsignature".split(),
)
_WHOLE: Final = frozenset("auth pass pin cardpin userpin pan sid connectsid sig signature senha".split())
_IDLE: Final = frozenset(
    "value header raw hash hex base64 encrypted plain text string old new current confirm confirmation again "
    "repeat key id number".split()
)
"""Last words that leave a key what it is without them."""
_ABOUT_FIRST: Final = frozenset("has is accept accepts accepted allow allows num max min".split())
_ABOUT_LAST: Final = frozenset(
    "count length size limit strength type kind brand version expiry expires expired changed required "
    "enabled policy consent banner preference preferences status valid invalid attempts".split()
)

# Each alternative has one fixed width, so none can backtrack.
_WORD_ENDS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[\W_]")
_AUTHORITY_END: Final = re.compile("[/?#]")
_PIECES: Final = re.compile("([?&;#])")
_MOST_ENCODED: Final = 5
"""A link in a parameter of a link in a parameter, and so on."""

_MAX_NAME_CHARS: Final = 256
"""Of a longer key, so much is judged at either end."""
_MAX_KNOWN_CHARS: Final = 64
_MAX_KNOWN: Final = 10_000


class Redactor:
    """Tells which keys hide their values. One per kit, used by all threads.

    What it found out about a key it remembers, for 10,000 keys of either kind and no longer than 64
    characters; keys beyond that are judged each time.

    Args:
        extra: More keys that hide; each a whole key, however it is spelt.
        keep: Keys that do not, whatever the built-in rules say.

    Attributes:
        clean: Keys known to be harmless *and* fit to be encoded as they are. Read it freely
            (``redactor.clean >= properties.keys()``); only `is_secret` adds to it.

    Example:
        >>> redactor = Redactor(extra=["maiden name"], keep=["session_id"])
        >>> [key for key in ("X-Api-Key", "userPassword", "MaidenName") if redactor.is_secret(key)]
        ['X-Api-Key', 'userPassword', 'MaidenName']
        >>> any(map(redactor.is_secret, ("session_id", "tokenizer_version", "has_password")))
        False
        >>> redactor.clean >= {"session_id", "has_password"}
        True
    """

    __slots__ = ("_extra", "_keep", "_secret", "clean")

    def __init__(self, *, extra: Iterable[str] = (), keep: Iterable[str] = ()) -> None:
        self._extra = frozenset(filter(None, map(_joined, extra)))
        self._keep = frozenset(filter(None, map(_joined, keep)))
        self._secret: set[str] = set()
        self.clean: set[str] = set()

    def is_secret(self, key: str) -> bool:
        """Whether the value under this key hides.

        Example:
            >>> Redactor().is_secret("Set-Cookie"), Redactor().is_secret("cookie_policy")
            (True, False)
        """
        if key in self.clean:
            return False
        if key in self._secret:
            return True
        verdict = self._judge(key)
        known = self._secret if verdict else self.clean
        if len(known) < _MAX_KNOWN and len(key) <= _MAX_KNOWN_CHARS and encodable(key) == key:
            known.add(key)
        return verdict

    def fit(self, text: str, max_bytes: int) -> tuple[str, list[str]]:
        """The beginning of a text that can be encoded in so many bytes, as a URL stripped.

        Returns:
            The text, and what was done to it: ``cut:`` and its length in characters, ``surrogate``,
            ``url``.

        Example:
            >>> Redactor().fit("https://me:pw@shop.example/", 100)
            ('https://shop.example/', ['url'])
        """
        head = text[:max_bytes]
        mended = encodable(head)
        kept = mended.encode()[:max_bytes].decode("utf-8", "ignore")
        stripped = self.strip_url(kept)
        changes = {
            f"cut:{len(text)}": head != text or kept != mended,
            "surrogate": mended != head,
            "url": stripped != kept,
        }
        return stripped, [marker for marker, changed in changes.items() if changed]

    def strip_url(self, url: str) -> str:
        """A link without its userinfo and without the parameters whose names hide.

        A link is what begins with ``http://`` or ``https://``; and what begins as one of the same site does (with
        ``/``, ``//``, ``?`` or ``#``) and has a query or a fragment. Any other text is returned as it is.

        Parameters of the query, of the fragment (where OAuth puts tokens) and of the path (where
        servlets put session ids) count, and so does one whose value is itself a link with such a parameter, however
        often it is percent-encoded. Those that tell of a campaign or a click (``utm_source``, ``gclid``)
        hide as secrets do: what brought somebody here is kept apart, as far as they allow. Linear in its length.

        Example:
            >>> Redactor().strip_url("https://me:pw@shop.example/reset?token=abc&lang=fr#top")
            'https://shop.example/reset?lang=fr#top'
            >>> Redactor().strip_url("/nuts?gclid=abc&page=2")
            '/nuts?page=2'
        """
        scheme, colon, rest = url.partition("://")
        if colon and scheme.lower() in ("http", "https"):
            scheme += "://"
        elif not url.startswith(RELATIVE) or ("?" not in url and "#" not in url):
            return url
        elif url.startswith("//"):
            scheme, rest = "//", url[2:]
        else:
            return self._harmless_pieces(url)
        end = _AUTHORITY_END.search(rest)
        cut = end.start() if end else len(rest)
        host = rest[:cut].rpartition("@")[2]
        return f"{scheme}{host}{self._harmless_pieces(rest[cut:])}"

    def _harmless_pieces(self, tail: str) -> str:
        first, *pieces = _PIECES.split(tail)
        kept = [first]
        owed = ""  # "?" or "#" of a dropped first parameter: the next one must begin with it
        for mark, piece in zip(pieces[::2], pieces[1::2], strict=True):
            if mark in "?#":
                owed = ""
            if self._holds_secret(piece):
                owed = mark if mark in "?#" else owed
                continue
            kept += (owed or mark, piece)
            owed = ""
        return "".join(kept)

    def _holds_secret(self, piece: str) -> bool:
        if "=" not in piece and "%" not in piece:
            return False
        for _ in range(_MOST_ENCODED):
            if any(self._hides(name) for name in _named(piece)):
                return True
            decoded = unquote(piece)
            if decoded == piece:
                return False
            piece = decoded
        return True  # nobody encodes a link so often who does not hide something

    def _hides(self, name: str) -> bool:
        # Not is_secret: visitors write URLs, and what they write must not fill `clean`.
        if name not in self.clean and self._judge(name):
            return True
        return tells_acquisition(name) and _joined(name) not in self._keep

    def _judge(self, key: str) -> bool:
        if len(key) > _MAX_NAME_CHARS:
            return self._judge(key[:_MAX_NAME_CHARS]) or self._judge(key[-_MAX_NAME_CHARS:])
        words = _words(key)
        joined = "".join(words)
        if joined in self._extra:
            return True
        return joined not in self._keep and _speaks_of_secrets(words, joined)


def _named(piece: str) -> Iterator[str]:
    """The names of parameters, also of those of a link that is the value of one."""
    for text in _PIECES.split(piece)[::2]:
        name, equals, _ = text.partition("=")
        if equals:
            yield name.replace("+", " ")


def _speaks_of_secrets(words: list[str], joined: str) -> bool:
    """The built-in rules, on the words of a key."""
    if len(words) > 1 and (words[0] in _ABOUT_FIRST or words[-1] in _ABOUT_LAST):
        return False
    if any(fragment in joined for fragment in _FRAGMENTS):
        return True
    plain = [word.rstrip("0123456789") for word in words]  # "cvv2" is "cvv"
    if not _WORDS.isdisjoint(plain):
        return True
    while plain:
        core = "".join(plain)
        if core in _WHOLE or core.endswith(_ENDINGS):
            return True
        last = plain.pop()
        if last and last not in _IDLE:
            return False
    return False


def _words(key: str) -> list[str]:
    """The words of a key, folded; also for full-width letters and letters with accents."""
    plain = key if key.isascii() else unicodedata.normalize("NFKD", key)
    return [word.lower() for word in _WORD_ENDS.split(plain) if word]


def _joined(name: str) -> str:
    return "".join(_words(name))


def encodable(text: str) -> str:
    """The text with halves of surrogate pairs joined, and lone ones replaced by U+FFFD.

    Example:
        >>> pair, half = chr(0xD83D) + chr(0xDE00), chr(0xD83D)
        >>> encodable(pair) == chr(0x1F600), encodable(half) == chr(0xFFFD)
        (True, True)
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


# `type` cannot lie, and these read what it says where a metaclass cannot answer instead.
_mro: Final[Callable[[type], tuple[type, ...]]] = type.__dict__["__mro__"].__get__
_namespace: Final[Callable[[type], types.MappingProxyType[str, Any]]] = type.__dict__["__dict__"].__get__
_struct_fields: Final[Callable[[type], tuple[str, ...]]] = vars(type(msgspec.Struct))["__struct_fields__"].__get__


def bases(value: object) -> tuple[type, ...]:
    """The classes of a value, nearest first, whatever it says of itself.

    Example:
        >>> bases(True)
        (<class 'bool'>, <class 'int'>, <class 'object'>)
    """
    return _mro(type(value))


def type_name(value: object) -> str:
    """The name of the class of a value, its first 256 characters.

    Example:
        >>> type_name(1.5)
        'float'
    """
    name: str = type.__dict__["__name__"].__get__(type(value))  # CPython lets no surrogate in
    return name[:_MAX_NAME_CHARS]


def stored(value: object, name: str) -> Any:
    """What an instance holds under a name, in a slot or its ``__dict__``; or `ABSENT`.

    Example:
        >>> from types import SimpleNamespace
        >>> stored(SimpleNamespace(a=1), "a")
        1
    """
    namespaces = [_namespace(base) for base in bases(value)]
    for namespace in namespaces:
        slot = namespace.get(name)
        if type(slot) is types.MemberDescriptorType:
            try:
                return slot.__get__(value)
            except AttributeError:
                return ABSENT
    for namespace in namespaces:
        holder = namespace.get("__dict__")
        if type(holder) is types.GetSetDescriptorType or type(holder) is types.MemberDescriptorType:
            return dict.get(holder.__get__(value), name, ABSENT)
    return ABSENT


def fields(value: object) -> list[tuple[Any, Any]] | None:
    """Name and value of each field that the class of a value declares; None if it declares none.

    Known are attrs, dataclasses, ``msgspec.Struct`` and pydantic. A field with ``repr=False``, or
    for attrs with a function of its own, is `HIDDEN`; one that is not set is left out. Rows of
    SQLAlchemy declare none, even where they are dataclasses: they are records of the app, not
    properties.

    Example:
        >>> import attrs
        >>> @attrs.frozen
        ... class Login:
        ...     user: str
        ...     code: str = attrs.field(repr=False)
        >>> [(name, part is HIDDEN) for name, part in fields(Login("nancy", "1234"))]
        [('user', False), ('code', True)]
    """
    for base in bases(value):
        if "_sa_class_manager" in _namespace(base):
            return None
        declared = _declared(type(value), base)
        if declared is not None:
            found = [(name, stored(value, name), shown) for name, shown in declared]
            return [(name, part if shown else HIDDEN) for name, part, shown in found if part is not ABSENT]
    return None


def _declared(kind: type, base: type) -> list[tuple[Any, bool]] | None:
    """Name of each field of ``kind`` and whether it is shown, if ``base`` is where they are declared."""
    if base is msgspec.Struct:
        return [(name, True) for name in _struct_fields(kind)]
    for place in ("__pydantic_fields__", "__attrs_attrs__", "__dataclass_fields__", "model_fields"):
        declared: Any = _namespace(base).get(place)
        if declared is None:
            continue
        classes = bases(declared)
        if any(known is dict for known in classes):
            return [(name, _shown(field)) for name, field in dict.items(declared)]
        if any(known is tuple for known in classes):
            return [(stored(field, "name"), _shown(field)) for field in tuple.__iter__(declared)]
    return None


def _shown(field: object) -> bool:
    # For speed, as these classes are known to be harmless.
    known = type(field) is attrs.Attribute or type(field) is dataclasses.Field
    shown = field.repr if known else stored(field, "repr")  # type: ignore[attr-defined]
    return shown is True or shown is ABSENT
