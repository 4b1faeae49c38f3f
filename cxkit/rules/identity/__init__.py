"""Who identifiers belong to. Never guessed: evidence is ranked, conflicts are refused by name.

``types``      what each type of identifier is worth        ``graph``      people, links, the ledger's rows
``values``     the one form of a value, and what is none    ``resolving``  whose identifiers seen together are
``joining``    identities of one scope                      ``sightings``  what of them takes part, and whom it finds
``merging``    operators' merges, and undoing them    ``acting``     under which of them one may allow things

Whoever writes identifiers loads those that were seen, then the people who own them (`people_of`),
asks `resolve` once, and writes what it says in one commit.

Sources: the conflict rule is that of Snowplow's identity graph, limits, priorities and blocked values are
Segment Unify's, illegal values are PostHog's. There are no tenants, so nothing is refused across them.
"""

from __future__ import annotations

from cxkit.rules.identity.acting import opens
from cxkit.rules.identity.graph import (
    Link,
    Merge,
    Owned,
    Person,
    Reason,
    Resolution,
    Rule,
    Tombstone,
    anonymous,
    people_of,
)
from cxkit.rules.identity.joining import added_in, join, without
from cxkit.rules.identity.merging import MOST_LINKS, Parting, merge, unmerge
from cxkit.rules.identity.resolving import resolve, whose
from cxkit.rules.identity.types import (
    CONTACTS,
    SESSIONS,
    TYPES,
    IdentifierType,
    Identifying,
    Kind,
    Types,
    proves,
    type_of,
)
from cxkit.rules.identity.values import normalise, unfit

__all__ = [
    "CONTACTS",
    "MOST_LINKS",
    "SESSIONS",
    "TYPES",
    "IdentifierType",
    "Identifying",
    "Kind",
    "Link",
    "Merge",
    "Owned",
    "Parting",
    "Person",
    "Reason",
    "Resolution",
    "Rule",
    "Tombstone",
    "Types",
    "added_in",
    "anonymous",
    "join",
    "merge",
    "normalise",
    "opens",
    "people_of",
    "proves",
    "resolve",
    "type_of",
    "unfit",
    "unmerge",
    "whose",
    "without",
]
