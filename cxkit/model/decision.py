"""A decision: what an experience chose for one scope, with its reasons."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal

import attrs

from cxkit.model.experiment import Assignment
from cxkit.model.properties import JSON
from cxkit.model.question import Question

__all__ = ["Decision"]


@attrs.frozen(kw_only=True)
class Decision:
    """What an experience chose. Its slots are empty (None) where the variant says nothing."""

    experience: str
    variant: str
    form: JSON = None
    content: JSON = None
    sequence: JSON = None
    level: int = 1
    """How wide the adaptation reaches: 1 to 4."""
    depth: int = 0
    """How personal it is: 0 to 4."""
    cap: int = 0
    """The depth that was allowed."""
    capped_by: str | None = None
    """What set the cap: ``consent``, ``identity``, ``pending``, ``late``, ``actor``; None if nothing did."""
    reasons: tuple[str, ...] = ()
    """Why this variant, one line for each variant and experiment tried."""
    version: str = ""
    """Of the experience as it was declared: it changes with whatever was changed there. Empty if a decider chose."""
    fallback: bool = False
    """Whether it is what is shown when nothing else fits or is allowed."""
    assignment: Assignment | None = None
    """What an experiment gave."""
    holdout: Assignment | None = None
    """To which part of the holdout that its experiments heed whoever asked belongs, if to one."""
    questions: tuple[Question, ...] = ()
    """What may be asked here and now, the most useful first."""
    not_asked: Mapping[str, str] = attrs.field(factory=dict)
    """The other questions, each with the reason in one word: ``known``, ``consent``, ``asked``, ..."""
    prefill: Mapping[str, JSON] = attrs.field(factory=dict)
    """Answers that are known already, for a form: of whoever signed in, on a device of their own; else empty."""

    def asks(self, question: str) -> bool:
        """Whether the question of this name may be asked here and now."""
        return any(one.name == question for one in self.questions)

    def __str__(self) -> str:
        """What it says, if that is a text, and else nothing: to stand in a template as it is, which escapes it."""
        return str.__str__(self.content) if isinstance(self.content, str) else ""

    @property
    def by(self) -> Literal["split", "targeting", "default"]:
        """What chose it: an experiment that divides people, whom it is for, or nothing, so that it is the fallback."""
        if self.assignment is not None:
            return "split"
        return "default" if self.fallback else "targeting"

    @property
    def cache_key(self) -> str:
        """Two decisions that have the same have the same slots, whoever decided."""
        version = self.version  # a decider says none, and may give each customer something else
        if not version:
            slots = repr((self.form, self.content, self.sequence)).encode("utf-8", "surrogatepass")
            version = hashlib.blake2b(slots, digest_size=16).hexdigest()
        return f"{self.experience}:{version}:{self.variant}"
