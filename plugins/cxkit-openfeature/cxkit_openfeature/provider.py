"""The provider: a flag is an experience, and who it is evaluated for is the customer of the scope.

Source: OpenFeature specification 0.8.0, sections 2 (providers), 3 (evaluation context) and 6 (tracking).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagResolutionDetails, Reason
from openfeature.provider import AbstractProvider, Metadata

import cxkit
from cxkit.errors import DeclarationError
from cxkit.kit import noted

if TYPE_CHECKING:
    from openfeature.flag_evaluation import FlagValueType
    from openfeature.track import TrackingEventDetails

__all__ = ["CXProvider"]

Resolved: TypeAlias = "FlagResolutionDetails[Any]"
Objects: TypeAlias = "Sequence[FlagValueType] | Mapping[str, FlagValueType]"

_SLOTS: Final = frozenset(["content", "form", "sequence"])
_SAID: Final = ("channel", "locale", "timezone", "session")
"""Attributes of the evaluation context that a scope has a place for."""
_TYPE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    "boolean": (bool,),
    "string": (str,),
    "integer": (int,),
    "float": (float, int),  # JSON and TOML write 1.0 as 1, too
    "object": (dict, list),
}

_REASONS: Final = {"split": Reason.SPLIT, "targeting": Reason.TARGETING_MATCH, "default": Reason.DEFAULT}
"""Never CACHED: each time it is decided anew."""


class CXProvider(AbstractProvider):
    """Evaluates flags as experiences.

    The flag ``home.hero`` is the content of the experience of that name; ``home.hero#form`` and
    ``home.hero#sequence`` are its other slots. Within a scope, a request say, it is for the customer of that scope,
    whatever the evaluation context says. Outside it is for whom the targeting key names, as a mere claim.

    Args:
        exposes: Whether an evaluation counts as shown. Without it nothing is captured.
        targeting_key: Which type of identifier a targeting key is, where there is no scope.

    Raises:
        DeclarationError: ``targeting_key`` is no type of identifier.

    Example:
        >>> import cxkit
        >>> from cxkit.testing import recorder
        >>> from openfeature.provider import Metadata
        >>> _ = cxkit.experience("doc.flag", fallback=cxkit.Variant(name="all", content="Welcome"))
        >>> with recorder():
        ...     CXProvider().resolve_string_details("doc.flag", "Hello").value
        'Welcome'
    """

    def __init__(self, *, exposes: bool = True, targeting_key: str = "user_id") -> None:
        super().__init__()
        if not _TYPE.fullmatch(targeting_key) or targeting_key in (*_SAID, "evidence", "kit"):
            raise DeclarationError(
                "what a targeting key stands for is no type of identifier",
                fix='give one, e.g. CXProvider(targeting_key="user_id")',
                code="CX9300",
            )
        self._exposes, self._targeting_key = exposes, targeting_key

    def get_metadata(self) -> Metadata:
        return Metadata(name="cxkit")

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        return self._resolve("boolean", flag_key, default_value, evaluation_context)

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        return self._resolve("string", flag_key, default_value, evaluation_context)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        return self._resolve("integer", flag_key, default_value, evaluation_context)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        return self._resolve("float", flag_key, default_value, evaluation_context)

    def resolve_object_details(
        self, flag_key: str, default_value: Objects, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[Objects]:
        return self._resolve("object", flag_key, default_value, evaluation_context)

    def track(
        self,
        tracking_event_name: str,
        evaluation_context: EvaluationContext | None = None,
        tracking_event_details: TrackingEventDetails | None = None,
    ) -> None:
        """An interaction of the touchpoint of that name: the attributes are its properties, and so is the value."""
        touchpoint = cxkit.Touchpoint.named(tracking_event_name)
        if touchpoint is None:
            noted(
                DeclarationError(
                    f'no touchpoint is called "{tracking_event_name[:64]}"',
                    fix=f'declare it: cxkit.touchpoint("{tracking_event_name[:64]}")',
                    code="CX9301",
                )
            )
            return
        properties: dict[str, Any] = {}
        if tracking_event_details is not None:
            said: Mapping[Any, Any] = tracking_event_details.attributes
            properties = {name: value for name, value in said.items() if isinstance(name, str)}
            if tracking_event_details.value is not None:
                properties["value"] = tracking_event_details.value
        with self._scope(evaluation_context):
            touchpoint.capture(**properties)

    def _resolve(self, kind: str, flag: str, default: object, context: EvaluationContext | None) -> Resolved:
        # Names of experiences hold no "#", so a slot is never taken for an experience of its own.
        name, parted, slot = str(flag).partition("#")
        handle = cxkit.Experience.named(name)
        if handle is None or (parted and slot not in _SLOTS):
            return _failed(default, ErrorCode.FLAG_NOT_FOUND, f'no experience is called "{str(flag)[:64]}"')
        with self._scope(context):
            return self._decided(kind, handle, slot or "content", default, _given(context))

    def _scope(self, context: EvaluationContext | None) -> AbstractContextManager[None]:
        """That of here and now; else one for whom the context names."""
        if cxkit.current():
            return nullcontext()
        given = _given(context)
        told: dict[str, Any] = {name: given[name] for name in _SAID if isinstance(given.get(name), str)}
        # Nobody proves a targeting key, so it is a claim, and depth is capped as for any other.
        if context is not None and context.targeting_key:
            told[self._targeting_key] = context.targeting_key
        return cxkit.scope(**told)

    def _decided(
        self, kind: str, handle: cxkit.Experience, slot: str, default: object, given: Mapping[str, Any]
    ) -> Resolved:
        decision = handle.decide(given=given)
        try:
            value = _value(kind, getattr(decision, slot), default)
            if self._exposes:  # only now: what does not fit is not shown
                decision = handle.show(given=given, asks=False)
                value = _value(kind, getattr(decision, slot), default)
        except (TypeError, OverflowError):
            return _failed(default, ErrorCode.TYPE_MISMATCH, f'the {slot} of "{decision.variant}" is no {kind}')
        return FlagResolutionDetails(
            value=value, variant=decision.variant, reason=_REASONS[decision.by], flag_metadata=_metadata(decision)
        )


def _failed(default: object, code: ErrorCode, message: str) -> Resolved:
    return FlagResolutionDetails(value=default, reason=Reason.ERROR, error_code=code, error_message=message)


def _given(context: EvaluationContext | None) -> dict[str, Any]:
    """What the application says of this moment; times as text, which conditions compare, as JSON has them."""
    said = context.attributes if context is not None else None
    if not isinstance(said, Mapping):  # not even the SDK looks at what an application puts there
        return {}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in said.items()}


def _value(kind: str, value: object, default: object) -> object:
    """The value as the app asked for it; its own where the variant leaves that to the app.

    Raises:
        TypeError: It is of another type.
        OverflowError: It is too large.
    """
    if value is None:
        return default
    if not isinstance(value, _KINDS[kind]) or (kind != "boolean" and isinstance(value, bool)):  # which is an int
        raise TypeError
    return float(value) if type(value) is int and kind == "float" else value


def _metadata(decision: cxkit.Decision) -> dict[str, bool | int | float | str]:
    """Of the flag, as far as there is something to tell. Nothing in it says who the customer is."""
    told = {name: getattr(decision, name) for name in ("version", "level", "depth", "cap", "capped_by")}
    if decision.assignment is not None:
        given = decision.assignment
        told |= {"experiment": given.experiment, "experiment_version": given.version, "unit": given.unit}
    return {name: value for name, value in told.items() if value not in (None, "")}
