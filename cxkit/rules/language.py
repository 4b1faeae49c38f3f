"""Which language to speak: what somebody asks for, against what there is.

Sources: RFC 4647 (matching of language tags), section 3.4, lookup; RFC 9110, section 12.5.4 (``Accept-Language``).
What is from the Unicode CLDR is under the licence in ``UNICODE-LICENSE.txt``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import takewhile
from typing import Final

__all__ = ["first", "is_tag", "lookup", "plain", "ranges"]

MAX_CHARS: Final = 1024
_MOST: Final = 32
_RANGE: Final = re.compile(
    r"\s*(\*|[a-z]{2,3}(?:-[a-z0-9]{1,8}){0,7})\s*(?:;\s*q\s*=\s*(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*)?",
    re.IGNORECASE | re.ASCII,
)
_TAG: Final = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,7}")
_PLAIN: Final = re.compile(
    r"([a-z]{2,3})(?:-[a-z]{3}(?![^-]))?(?:-([a-z]{4})(?![^-]))?(?:-([a-z]{2}|[0-9]{3})(?![^-]))?",
    re.IGNORECASE | re.ASCII,
)
_SCRIPTS: Final[Mapping[str, str]] = {
    "az": "latn", "bs": "latn", "kk": "cyrl", "ks": "arab", "ku": "latn", "ms": "latn", "pa": "guru", "sd": "arab",
    "sr": "cyrl", "tg": "cyrl", "uz": "latn", "zh": "hans",
}  # fmt: skip
"""Languages written in several scripts, with the usual one: who reads one may not read the other."""
_ELSEWHERE: Final[Mapping[str, str]] = {
    "zh-tw": "hant", "zh-hk": "hant", "zh-mo": "hant", "pa-pk": "arab", "az-ir": "arab", "kk-cn": "arab",
    "uz-af": "arab", "sr-me": "latn",
}  # fmt: skip
"""Where another one is usual. Source: CLDR, likely subtags."""
_LATIN_AMERICA: Final = frozenset("ar bo br bz cl co cr cu do ec gt hn mx ni pa pe pr py sv us uy ve".split())
_AMERICAN: Final = frozenset("us as gu mh mp ph pr um vi".split())
_PORTUGAL: Final = frozenset("ao ch cv fr gq gw lu mo mz st tl".split())
"""Regions whose variety is written as in Latin America, the United States, Portugal. Source: CLDR, parent locales."""
_NONE: Final[Mapping[str, Sequence[str]]] = {}


def ranges(header: str) -> tuple[str, ...]:
    """What an ``Accept-Language`` header asks for, best first; of what is malformed, nothing.

    Of a header of more than 1,024 characters nothing is taken; of others the first 32 ranges.

    Example:
        >>> ranges("en;q=0.5, fr-CA, fr;q=0.8, de;q=0")
        ('fr-CA', 'fr', 'en')
    """
    return _ranges(header) if len(header) <= MAX_CHARS else ()  # before it is remembered


@lru_cache(maxsize=1024)
def _ranges(header: str) -> tuple[str, ...]:
    found: list[tuple[float, str]] = []
    for part in header.split(",")[:_MOST]:
        match = _RANGE.fullmatch(part)
        weight = float(match[2] or 1) if match is not None else 0.0
        if match is not None and weight > 0:
            found.append((weight, match[1]))
    return tuple(name for _, name in sorted(found, key=lambda one: -one[0]))


def is_tag(text: object) -> bool:
    """Whether it has the form of a language tag (RFC 5646, section 2.1, without grandfathered ones).

    A language has two or three letters, as all that are registered.
    """
    return isinstance(text, str) and _TAG.fullmatch(text) is not None


def first(asked: Sequence[str] | None) -> str | None:
    """Of the ranges the one that is preferred, if it is a language.

    Example:
        >>> first(ranges("fr-ca, en")), first(ranges("*"))
        ('fr-CA', None)
    """
    return plain(asked[0]) if asked and asked[0] != "*" else None


def plain(tag: str) -> str:
    """Language, script and region of a tag, and nothing else that somebody may have written into it.

    Example:
        >>> plain("zh-hant-tw-x-nancy"), plain("EN"), plain("de-1996-ch")
        ('zh-Hant-TW', 'en', 'de')
    """
    found = _PLAIN.match(tag)
    if found is None:
        return ""
    language, script, region = found.groups(default="")
    return "-".join(filter(None, (language.lower(), script.title(), region.upper())))


def lookup(
    asked: Iterable[str], available: Sequence[str], *, related: Mapping[str, Sequence[str]] = _NONE
) -> str | None:
    """The best of what is available; None where nothing asked for is.

    For each range in turn: the tag itself and what is left of it when subtags are taken away (RFC 4647), but for the
    language alone the variety that its region writes (``es-419`` for ``es-MX``, ``en-GB`` for ``en-AU``); then
    another region's variety in the same script, unless one that is there is asked for later; then the languages
    that you say its speakers read. Never another language unless you say so: Norwegians are not given
    Danish, nor Catalans Spanish. Nor another script, where RFC 4647 alone would: ``zh-TW`` is not given ``zh``.

    Args:
        asked: Ranges, best first.
        available: Tags, as you write them; of several that fit equally the first is taken.
        related: Language to others that do as well: ``{"nb": ["no", "da"]}``.

    Example:
        >>> lookup(["fr-CH", "en"], ["en", "fr"])
        'fr'
        >>> lookup(["fr", "en"], ["en-CA", "fr-CA"])
        'fr-CA'
        >>> lookup(["zh-TW"], ["zh-CN"]) is None
        True
        >>> lookup(["nb-NO"], ["da"], related={"nb": ["no", "da"]})
        'da'
    """
    there: dict[str, str] = {}
    for tag in available:
        there.setdefault(tag.lower(), tag)
    names = [one.lower() for one in asked]
    for place, name in enumerate(names):
        language, found = name.partition("-")[0], _lookup(name, there)
        if found is None and any(_lookup(one, there) for one in names[place:] if one.partition("-")[0] == language):
            continue  # what they would rather read of this language stands further on, and is there
        found = found or _variety(name, there)
        for other in () if found else related.get(language, ()):
            found = found or _lookup(other.lower(), there) or _variety(other.lower(), there)
        if found is not None:
            return found
    return None


def _lookup(name: str, there: Mapping[str, str]) -> str | None:
    """Progressively shorter; a subtag of one letter goes with what it introduces. ``*`` matches nothing by itself."""
    parts = name.split("-")
    written = _script(name)
    like = _like(name)
    while parts:
        found = (there.get(like) if len(parts) == 1 else None) or there.get("-".join(parts))
        if found is not None and _script(found.lower()) == written:
            return found
        parts.pop()
        if parts and len(parts[-1]) == 1:
            parts.pop()
    return None


def _variety(name: str, there: Mapping[str, str]) -> str | None:
    """Another of the same language and script; first one that is written alike."""
    language, written, like = name.partition("-")[0], _script(name), _like(name)
    others = [key for key in there if key.partition("-")[0] == language and _script(key) == written]
    best = next((key for key in others if like and like in (key, _like(key))), others[0] if others else None)
    return None if best is None else there[best]


def _like(name: str) -> str:
    """The variety in whose way a region writes its language; empty where that is the language's own."""
    parts = name.split("-")
    language, region = parts[0], parts[1] if len(parts) > 1 else ""
    if language == "es" and region in _LATIN_AMERICA:
        return "es-419"
    if language == "pt" and region in _PORTUGAL:
        return "pt-pt"
    if language == "zh" and {"hk", "mo"} & set(parts):
        return "zh-hk"
    return "en-gb" if language == "en" and len(region) == 2 and region not in _AMERICAN else ""


def _script(name: str) -> str:
    """The script, as far as it tells varieties apart: as the tag says, or as its region writes Chinese."""
    language, *others = name.split("-")
    if language not in _SCRIPTS:
        return ""
    others = list(takewhile(lambda one: len(one) > 1, others))  # what follows is an extension, or private
    said = next((one for one in others if len(one) == 4 and one.isalpha()), None)
    elsewhere = (_ELSEWHERE[f"{language}-{one}"] for one in others if f"{language}-{one}" in _ELSEWHERE)
    return said or next(elsewhere, _SCRIPTS[language])
