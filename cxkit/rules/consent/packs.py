"""Policy packs: what holds where nobody chose, by region. Versioned data, and a function that finds the region.

These are a product's defaults, **not legal advice**: have a lawyer review them before you rely on them. A pack is
never changed, only followed by one with a higher number, for its name is kept with every choice.

*Sensitive data* (health, belief, origin, orientation, precise location, ...) needs an opt-in in all these places, also
in those US states where everything else may be done until somebody objects. It is no purpose here: a purpose says
what something is for, not what it is. So no pack grants it. Declare a touchpoint that captures such data only where
you have asked for it by name yourself, and keep it out of the properties of all others.

Sources: Regulation (EU) 2016/679 and Directive 2002/58/EC, article 5(3), with the UK's and Switzerland's own acts;
CNIL, deliberation 2020-091 (to keep a refusal for six months is good practice); Quebec, Act respecting the protection
of personal information in the private sector; Brazil, LGPD; South Korea, PIPA; California Civil Code 1798.135(c)(4)
(no new question for 12 months after an opt-out); W3C Global Privacy Control. State of knowledge: 2026-11.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from cxkit.model import PURPOSES
from cxkit.model.consent import InferredFrom
from cxkit.rules.consent.policy import STRICT, Policy

__all__ = [
    "PACKS",
    "POLICIES",
    "REGIONAL",
    "UNIVERSAL_OPT_OUT",
    "Home",
    "Jurisdiction",
    "governing",
    "jurisdiction",
    "pack_of",
    "policy_named",
    "region_of",
    "strictest",
]

_NECESSARY: Final = frozenset({"necessary"})
_EVERYTHING: Final = frozenset(PURPOSES) - {"precise_location", "message_open"}
"""Where nobody needs to ask. Where exactly somebody is, is sensitive everywhere: it is asked for. So is whether they
opened a message: a picture that reports it is read in private.

Sources: CPRA, Cal. Civ. Code 1798.140(ae)(1)(C); CNIL, deliberation 2026-042 of 12 March 2026, on pixels in e-mails.
"""

PACKS: Final[Mapping[str, Policy]] = {
    "eea": Policy(name="eea/1", granted=_NECESSARY, anonymous=STRICT.anonymous, signals=frozenset({"tc"})),
    "opt_in": Policy(name="opt_in/1", granted=_NECESSARY, anonymous=STRICT.anonymous),
    "us_opt_out": Policy(
        name="us_opt_out/1", granted=_EVERYTHING, anonymous=_EVERYTHING, signals=frozenset({"gpp"}),
        mechanism="opt_out", refusal_days=365,
    ),
    "us": Policy(
        name="us/1", granted=_EVERYTHING, anonymous=_EVERYTHING, mechanism="opt_out", refusal_days=365,
    ),
    "minor": Policy(name="minor/1", granted=_NECESSARY, anonymous=STRICT.anonymous),
    "unknown": STRICT,
}  # fmt: skip
"""Region to what holds there. ``eea``: EEA, United Kingdom, Switzerland; ``opt_in``: Quebec, Brazil, South Korea;
``us_opt_out``: see `UNIVERSAL_OPT_OUT`; ``us``: the rest of the United States; ``minor``: people under 16, or of
unknown age where children are addressed; ``unknown``: everywhere else."""

REGIONAL: Final = "regional"
"""What the setting ``consent.policy`` says where the region decides; it is no policy of its own."""

POLICIES: Final[Mapping[str, Policy]] = {"strict": STRICT, **{name: PACKS[name] for name in PACKS if name != "unknown"}}
"""What else it may name."""

UNIVERSAL_OPT_OUT: Final[Mapping[str, tuple[str, str]]] = {
    "CA": ("California Consumer Privacy Act as amended, Civil Code 1798.135; 11 CCR 7025", "2023-01-01"),
    "CO": ("Colorado Privacy Act, rules part 5", "2024-07-01"),
    "CT": ("Connecticut Data Privacy Act", "2025-01-01"),
    "DE": ("Delaware Personal Data Privacy Act", "2026-01-01"),
    "MD": ("Maryland Online Data Privacy Act", "2025-10-01"),
    "MN": ("Minnesota Consumer Data Privacy Act", "2025-07-31"),
    "MT": ("Montana Consumer Data Privacy Act", "2025-01-01"),
    "NE": ("Nebraska Data Privacy Act", "2025-01-01"),
    "NH": ("New Hampshire Privacy Act", "2025-01-01"),
    "NJ": ("New Jersey Data Privacy Act", "2025-07-15"),
    "OR": ("Oregon Consumer Privacy Act", "2026-01-01"),
    "TX": ("Texas Data Privacy and Security Act", "2025-01-01"),
}
"""US states whose law makes a browser's opt-out signal binding: the act, and since when it does."""

_EEA: Final = frozenset(
    "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE IS LI NO".split()
    + "AX GF GP MF MQ RE YT".split()  # parts of the Union that have a code of their own
    + ["GB", "CH"]
)
_OPT_IN: Final = frozenset(["CA-QC", "CA", "BR", "KR"])  # of Canada alone, it might be Quebec
_OTHER_STATES: Final = frozenset(
    "AL AK AZ AR FL GA HI ID IL IN IA KS KY LA ME MA MI MS MO NV NM NY NC ND OH OK PA RI SC SD TN UT VT VA WA WV WI WY"
    " DC AS GU MP PR UM VI".split()
)


@attrs.frozen(kw_only=True)
class Jurisdiction:
    """Whose law is taken to hold.

    Example:
        >>> jurisdiction(geo="US-CA")
        Jurisdiction(region='us_opt_out', inferred_from='geo')
    """

    region: str = "unknown"
    """A key of `PACKS`."""
    inferred_from: InferredFrom = "unknown"


def jurisdiction(*, declared: str | None = None, account: str | None = None, geo: str | None = None) -> Jurisdiction:
    """Whose law is taken to hold: what was declared, else where the account is, else where the address seems to be.

    The first that is given decides, even if it has no pack: then the strictest holds, for a guess must not
    loosen what somebody said.

    Args:
        declared: ISO 3166 country, with ``-`` and the subdivision where it has laws of its own: ``FR``, ``US-CA``.
        account: Likewise, where the customer's account says they live.
        geo: Likewise, by their address; see the visitor's `Place`.
    """
    places: tuple[tuple[InferredFrom, str | None], ...] = (("declared", declared), ("account", account), ("geo", geo))
    for how, place in places:
        if place:
            return Jurisdiction(region=region_of(place), inferred_from=how)
    return Jurisdiction()


def region_of(place: str) -> str:
    """The region of an ISO 3166 code; ``unknown`` if it is none, or none with a pack.

    Example:
        >>> region_of("FR"), region_of("us-tx"), region_of("US-NY"), region_of("US"), region_of("CA-ON")
        ('eea', 'us_opt_out', 'us', 'us_opt_out', 'unknown')
    """
    code = place.strip().upper()
    country, _, state = code.partition("-")
    if country in _EEA:
        return "eea"
    if code in _OPT_IN or country in ("BR", "KR"):
        return "opt_in"
    if country == "US":
        return (
            "us_opt_out" if not state or state in UNIVERSAL_OPT_OUT else "us" if state in _OTHER_STATES else "unknown"
        )
    return "unknown"


def pack_of(region: str, *, minor: bool = False) -> Policy:
    """What holds in a region where nobody chose; the strictest where there is no such region.

    Args:
        minor: The person is under 16, or of unknown age at a touchpoint that addresses children.

    Example:
        >>> pack_of("us").name, pack_of("us", minor=True).name, pack_of("atlantis").name
        ('us/1', 'minor/1', 'strict/1')
    """
    return PACKS["minor"] if minor else PACKS.get(region, STRICT)


def strictest(policies: Iterable[Policy]) -> Policy:
    """One that allows only what all of them allow: for where it is unknown which of them holds.

    Example:
        >>> strictest([PACKS["us"], PACKS["eea"]]).granted
        frozenset({'necessary'})
    """
    several = sorted(set(policies), key=lambda one: one.name)
    if not several:
        return STRICT
    return Policy(
        name="+".join(one.name for one in several),
        granted=_NECESSARY | frozenset.intersection(*(one.granted for one in several)),
        anonymous=frozenset.intersection(*(one.anonymous for one in several)),
        signals=frozenset[str]().union(*(one.signals for one in several)),
        mechanism="opt_in" if any(one.mechanism == "opt_in" for one in several) else several[0].mechanism,
        grant_days=min(one.grant_days for one in several),
        refusal_days=max(one.refusal_days for one in several),
    )


def policy_named(name: str) -> Policy:
    """The policy under which somebody chose; one that this version does not know holds for as short as the strictest.

    Example:
        >>> policy_named("us/1").mechanism, policy_named("atlantis/7").mechanism
        ('opt_out', 'opt_in')
    """
    known = {one.name: one for one in PACKS.values()}
    parts = [known.get(part, STRICT) for part in name.split("+")]
    return attrs.evolve(strictest(parts), name=name)


@attrs.frozen(kw_only=True)
class Home:
    """What is known of where somebody is at home, and whether they are a child, apart from where they are now."""

    declared: str | None = None
    """What the app said: an ISO 3166 code, see `jurisdiction`."""
    account: str | None = None
    """What their account says."""
    proven: bool = True
    """Whether it is known whose account that is: by a login or a signed cookie."""
    minor: bool = False
    """Whether the app said that they are a child, or that it may be one whom it addresses."""
    account_minor: bool = False
    """Whether their account says so."""
    brought: Jurisdiction = Jurisdiction()
    """What was found where they come from: for work that is done for them elsewhere."""
    known: bool = True
    """Whether their account could be asked."""


def governing(
    configured: Policy | None, home: Home, *, geo: str | None, chosen: str | None = None
) -> tuple[Policy, Jurisdiction]:
    """The policy that holds for somebody, and whose law that is taken to be.

    Of the account of somebody who only claims to be that person, whatever is stricter holds. Where the account
    cannot be asked, the strictest holds.

    Args:
        configured: The policy that holds everywhere; None: that of the region.
        geo: Where they seem to be: an ISO 3166 code.
        chosen: Where they would like to be: of that and ``geo``, whichever allows less without a choice.

    Example:
        >>> policy, whose = governing(None, Home(declared="FR"), geo="US-CA")
        >>> policy.name, whose.inferred_from
        ('eea/1', 'declared')
    """
    minor = home.minor or home.account_minor
    if configured is not None:
        region = configured.name.partition("/")[0]
        where = Jurisdiction(region=region, inferred_from="declared") if region in PACKS else Jurisdiction()
        return (PACKS["minor"] if minor else configured), where
    where = jurisdiction(declared=home.declared, account=home.account if home.proven else None, geo=geo)
    if where.inferred_from == "unknown":
        where = home.brought
    if chosen and where.inferred_from in ("geo", "unknown"):
        where = _stricter(where, Jurisdiction(region=region_of(chosen), inferred_from="declared"))
    policy = pack_of(where.region, minor=minor)
    if home.account and not home.proven:
        policy = strictest([policy, pack_of(region_of(home.account))])
    return (policy if home.known else STRICT), where


def _stricter(one: Jurisdiction, other: Jurisdiction) -> Jurisdiction:
    return other if pack_of(other.region).granted < pack_of(one.region).granted else one
