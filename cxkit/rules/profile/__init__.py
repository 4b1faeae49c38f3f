"""What is known of a person: ``traits`` were said, seen or concluded; ``history`` is what happened.

Both are states that commands and interactions are folded into. These arrive at least once, in any order and days
late; the states do not depend on that, within the bounds that each names.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import cast, get_args

from cxkit.model import Choice, Person, Profile, Stage
from cxkit.model.consent import Answer
from cxkit.rules.profile.history import (
    HISTORY_LENGTH,
    PASSED_LENGTH,
    History,
    fold,
    in_sessions,
    last_seen_at,
    merge_histories,
    preferred_channel,
    recent_of,
    stage_now,
)
from cxkit.rules.profile.traits import SEEN_INCREMENTS, Held, Traits, merge_traits, part_traits, values, with_traits

__all__ = [
    "HISTORY_LENGTH",
    "PASSED_LENGTH",
    "SEEN_INCREMENTS",
    "Held",
    "History",
    "Traits",
    "fold",
    "in_sessions",
    "last_seen_at",
    "merge_histories",
    "merge_traits",
    "part_traits",
    "preferred_channel",
    "profile_of",
    "recent_of",
    "stage_now",
    "values",
    "with_traits",
]


def profile_of(
    *,
    person: Person | None,
    traits: Traits,
    history: History,
    choices: Mapping[str, Choice],
    preferences: Mapping[str, Mapping[str, Answer]],
    profiling: bool,
    now: datetime,
) -> Profile:
    """What a caller gets to see.

    The traits ``stage`` and ``preferred_channel`` are what a person, or somebody for them, declared of these two.

    Args:
        profiling: Whether the person allows that purpose: their channel may be concluded from what they do.
    """
    declared = values(traits, now=now, provenance="declared")
    stage, channel = declared.get("stage"), declared.get("preferred_channel")
    return Profile(
        person=person,
        traits=values(traits, now=now),
        choices=choices,
        preferences=preferences,
        stage=stage_now(history, declared=cast("Stage", stage) if stage in get_args(Stage) else None),
        sessions=in_sessions(history),
        last_seen_at=last_seen_at(history),
        preferred_channel=preferred_channel(
            history, declared=channel if isinstance(channel, str) else None, profiling=profiling, now=now
        ),
        recent=history.recent,
    )
