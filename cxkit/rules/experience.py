"""What an experience chooses: how personal it may be, then the first variant that fits.

Depth: 0 the same for all, 1 contextual, 2 segment, 3 individual, 4 adaptive.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import NamedTuple

from cxkit.errors import DeclarationError
from cxkit.model import JSON, Decision, ExperienceSpec, Identity, Variant

__all__ = ["Cap", "check", "choose", "depth_cap"]


class Cap(NamedTuple):
    """The depth that is allowed, and what sets it."""

    depth: int
    by: str | None


def depth_cap(
    *,
    granted: frozenset[str],
    identity: Identity,
    pending: bool,
    contested: bool = False,
    machine: bool = False,
    late: bool = False,
) -> Cap:
    """How personal a decision may be by consent, by how surely the customer is known, by what arrived.

    Args:
        contested: Whether they are known by a device alone that several people use.
        machine: Whether no person asks: it is shown what a stranger is, so that no cache can mix up the two.
        late: Whether others may get what is shown, too.
    """
    strongest = max((one.rank for one in identity.identifiers), default=-1)
    caps = [
        Cap(4 if "profiling" in granted else 3, "consent") if "personalization" in granted else Cap(1, "consent"),
        Cap(1 if contested else {3: 4, 2: 2, 1: 2}.get(strongest, 1), "identity"),
        Cap(1 if pending else 4, "pending"),
        Cap(1 if late else 4, "late"),
        Cap(1 if machine else 4, "actor"),
    ]
    lowest = min(caps, key=lambda cap: cap.depth)
    return lowest if lowest.depth < 4 else Cap(4, None)


def choose(
    spec: ExperienceSpec, attributes: Mapping[str, JSON], cap: Cap, *, withheld: Container[str] = ()
) -> Decision:
    """The first variant, in the order declared, that is allowed and has this audience; else the fallback.

    Args:
        attributes: Nested; an audience names them by dotted path.
        withheld: Names of those that are kept back, as it is too late to follow them.
    """
    reasons = []
    for variant in spec.variants:
        if variant.depth > cap.depth:
            reasons.append(f"{variant.name}: depth {variant.depth} is over the cap of {cap.depth} ({cap.by})")
        elif (missed := _missed(variant, attributes)) is not None:
            late = missed.partition(".")[0] in withheld
            reasons.append(f"{variant.name}: {missed} {'comes too late' if late else 'differs'}")
        else:
            reasons.append(f"{variant.name}: chosen")
            return _decision(spec, variant, cap, reasons)
    reasons.append(f"{spec.fallback.name}: fallback")
    return _decision(spec, spec.fallback, cap, reasons)


def check(spec: ExperienceSpec) -> None:
    """Refuse what the rules cannot judge.

    Raises:
        DeclarationError: An audience uses an operator (``$...``).
    """
    for variant in spec.variants:
        for path, wanted in variant.audience.items():
            if "$" in (part[:1] for part in path.split(".")) or isinstance(wanted, dict):
                raise DeclarationError(
                    f'"{spec.name}", variant "{variant.name}": its audience uses more than equality',
                    fix='name attributes and their values, e.g. {"traits.plan": "gold"}',
                    code="CX3007",
                )


def _missed(variant: Variant, attributes: Mapping[str, JSON]) -> str | None:
    for path, wanted in variant.audience.items():
        found: object = attributes
        for part in path.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        if found != wanted or type(found) is not type(wanted):
            return path
    return None


def _decision(spec: ExperienceSpec, variant: Variant, cap: Cap, reasons: list[str]) -> Decision:
    return Decision(
        experience=spec.name,
        variant=variant.name,
        form=variant.form,
        content=variant.content,
        sequence=variant.sequence,
        level=spec.level if variant is not spec.fallback else 1,
        depth=variant.depth,
        cap=cap.depth,
        capped_by=cap.by,
        reasons=tuple(reasons),
    )
