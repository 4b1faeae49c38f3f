"""Where somebody falls: a hash of an identifier as a number from 0 up to 1, and the parts that share this space out.

The same identifier and seed fall on the same number in every process and in each SDK that follows the
specification: so a hash is never changed in place, only given another version.

Sources: GrowthBook SDK specification 0.8.0, ``hash``, ``getBucketRanges``, ``chooseVariation``; FNV-1a: Fowler, Noll
and Vo, RFC 9923.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from cxkit.model.experiment import Range

__all__ = ["bucketing", "choose_range", "fnv1a32", "shares"]

_BASIS: Final = 0x811C9DC5


def fnv1a32(text: str, state: int = _BASIS) -> int:
    """FNV-1a of 32 bits over UTF-16 code units, as JavaScript sees a text: one step for each unit, not for each byte.

    Args:
        state: That after what came before this text.

    Example:
        >>> hex(fnv1a32("foobar"))
        '0xbf9cf968'
    """
    for unit in _units(text):
        state = (state ^ unit) * 0x01000193 & 0xFFFFFFFF  # the prime, which under a name would cost a third more
    return state


def bucketing(seed: str, version: int = 2) -> Callable[[str], float]:
    """The function from an identifier to its number: from 0 up to 1, in steps of 0.0001 (version 1: 0.001).

    Args:
        version: 2; or 1, which is biased, for experiments that began elsewhere with it.

    Example:
        >>> bucketing("bolder-2026")("visitor-7")
        0.0647
    """
    if version == 1:
        return lambda value: fnv1a32(seed, fnv1a32(value)) % 1000 / 1000
    state = fnv1a32(seed)
    return lambda value: fnv1a32(str(fnv1a32(value, state))) % 10000 / 10000


def shares(count: int, *, coverage: float = 1.0, weights: Sequence[float] = ()) -> list[Range]:
    """The parts of `count` variations: each begins where the one before would end at full coverage.

    Args:
        weights: Equal where they are not as many, or do not make 1 together, give or take 0.01.

    Example:
        >>> shares(2, coverage=0.5)
        [(0.0, 0.25), (0.5, 0.75)]
    """
    coverage = min(max(coverage, 0.0), 1.0)
    if len(weights) != count or not 0.99 <= sum(weights) <= 1.01:
        weights = [1 / count] * count if count > 0 else []
    parts, start = list[Range](), 0.0
    for weight in weights:
        parts.append((start, start + coverage * weight))
        start += weight
    return parts


def choose_range(number: float, parts: Iterable[Range]) -> int | None:
    """The place of the first part that holds the number.

    Example:
        >>> choose_range(0.6, shares(2)), choose_range(0.6, shares(2, coverage=0.1))
        (1, None)
    """
    for place, (low, high) in enumerate(parts):
        if low <= number < high:
            return place
    return None


def _units(text: str) -> Iterable[int]:
    if text.isascii():
        return text.encode()
    encoded = text.encode("utf-16-be", "surrogatepass")
    return [high << 8 | low for high, low in zip(encoded[::2], encoded[1::2], strict=True)]
