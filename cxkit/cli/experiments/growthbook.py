"""A payload of GrowthBook's SDKs becomes tables of `cxkit.toml`: a feature an experience, a rule what it amounts to.

A rule that forces a value is a variant with that audience, or, where it reaches a share of those only, a rollout; one
with variations is an experiment. What a payload says and a table cannot is left out, and said so.

Source: GrowthBook SDK specification 0.8.0, ``feature``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import attrs

from cxkit.cli.experiments.targeting import LeftOut, condition_of, key_of, names_in, parent_condition_of, value_of
from cxkit.cli.language import say
from cxkit.rules.experience import compile_condition
from cxkit.rules.experience.hashing import shares

__all__ = ["Imported", "Note", "read_payload", "units_in"]

_UNFIT: Final = re.compile(r"[^a-z0-9_.]+")
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_LABELS: Final = frozenset(["id", "name", "phase", "type", "tracks"])
"""What a rule says for whoever looks at it."""
_TARGETS: Final = frozenset(["condition", "parentConditions", "filters", "namespace", "hashAttribute", "seed",
                             "hashVersion", "fallbackAttribute", "disableStickyBucketing", "coverage"])  # fmt: skip
_FORCES: Final = _TARGETS | {"force", "range"}
_DIVIDES: Final = _TARGETS | {"variations", "key", "weights", "ranges", "meta", "bucketVersion", "minBucketVersion"}


class Note(NamedTuple):
    """What did not come over as it was."""

    feature: str
    rule: int | None
    """The first is 1."""
    what: str
    lost: bool = True
    """False: it decides the same all the same."""


@attrs.frozen(kw_only=True)
class Imported:
    """What a payload became."""

    experiences: Mapping[str, Mapping[str, Any]]
    """Name to table, as in ``[experiences.NAME]``."""
    features: Mapping[str, str]
    """Feature to the name of its experience."""
    notes: Sequence[Note]
    reads: frozenset[str]
    """The attributes that conditions name."""


def units_in(payload: Mapping[str, Any]) -> list[str]:
    """The attributes by which it divides people."""
    found = set[str]()
    for rule in _rules_in(payload):
        if rule.keys() & {"variations", "coverage", "range"}:
            found.add(str(rule.get("hashAttribute") or "id"))
            if rule.get("fallbackAttribute") and not rule.get("disableStickyBucketing"):
                found.add(str(rule["fallbackAttribute"]))
        filters = rule.get("filters")
        for one in filters if isinstance(filters, list) else ():
            found |= {str(one.get("attribute") or "id")} if isinstance(one, Mapping) else set()
    return sorted(found)


def _rules_in(payload: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for feature in payload.get("features", {}).values():
        rules = feature.get("rules") if isinstance(feature, Mapping) else None
        yield from (rule for rule in rules if isinstance(rule, Mapping)) if isinstance(rules, list) else ()


def read_payload(payload: Mapping[str, Any], *, units: Mapping[str, str]) -> Imported:
    """The experiences that its features amount to, and what of them did not come over.

    Args:
        units: Attribute to type of identifier, for all of `units_in`.
    """
    reading = _Reading(payload, units)
    experiences = {name: reading.feature(feature, name) for feature, name in reading.names.items()}
    for feature, name in reading.names.items():
        if name != feature:
            reading.note(feature, None, say("is the experience {name}", name=name), lost=False)
    for kind in ("experiments", "contextualBandits"):
        for one in payload.get(kind) or ():
            shown = one if isinstance(one, str) else one.get("key", "?") if isinstance(one, Mapping) else "?"
            reading.note(str(shown), None, say("is among the payload's {kind}, which have no counterpart", kind=kind))
    return Imported(
        experiences=experiences, features=reading.names, notes=reading.notes, reads=frozenset(reading.reads)
    )


class _Reading:
    """One payload on its way."""

    def __init__(self, payload: Mapping[str, Any], units: Mapping[str, str]) -> None:
        self._features: Mapping[str, Any] = payload.get("features", {})
        self._groups = payload.get("savedGroups") or {}
        self._units = units
        self.names = _names(self._features)
        self.notes = list[Note]()
        self.reads = set[str]()
        self._taken = dict[str, dict[str, Any]]()
        """Experiments by name."""

    def note(self, feature: str, rule: int | None, what: str, *, lost: bool = True) -> None:
        """Say what did not come over as it was."""
        self.notes.append(Note(feature, rule, what, lost))

    def feature(self, feature: str, name: str) -> dict[str, Any]:
        """The table of one."""
        body = self._features[feature] if isinstance(self._features[feature], Mapping) else {}
        into = _Table(fallback={"name": "default"})
        try:
            into.fallback.update(_content(body.get("defaultValue")))
        except LeftOut as error:
            self.note(feature, None, str(error))
        rules = body.get("rules") or ()
        if not isinstance(rules, (list, tuple)):
            self.note(feature, None, say("is not as the specification has it"))
            rules = ()
        for place, rule in enumerate(rules, 1):
            try:
                self._rule(_Rule(feature, place, rule, into))
            except LeftOut as error:
                self.note(feature, place, str(error))
            except (AttributeError, KeyError, TypeError, ValueError):
                self.note(feature, place, say("is not as the specification has it"))
        return into.as_table()

    def _rule(self, rule: _Rule) -> None:
        if not isinstance(rule.body, Mapping):
            raise LeftOut(say("is no rule"))
        parents = self._parents(rule)
        if parents is None:
            return
        if "force" in rule.body:
            self._leftover(rule, _FORCES)
            self._forced(rule, parents)
        elif "variations" in rule.body:
            self._leftover(rule, _DIVIDES)
            self._divided(rule, parents)
        elif "contextualVariations" in rule.body:
            raise LeftOut(say("is a contextual bandit"))
        elif "parentConditions" not in rule.body:
            raise LeftOut(say("forces no value and has no variations"))

    def _leftover(self, rule: _Rule, known: frozenset[str]) -> None:
        for key in sorted(rule.body.keys() - known - _LABELS):
            self.note(rule.feature, rule.place, say('has "{key}", which has no counterpart', key=key))

    # --- what comes before a rule ---

    def _parents(self, rule: _Rule) -> list[dict[str, Any]] | None:
        """Its prerequisites; None where they cannot be fulfilled. One that blocks the feature rolls out nothing."""
        found = list[dict[str, Any]]()
        for number, parent in enumerate(rule.body.get("parentConditions") or ()):
            wanted = parent_condition_of(parent.get("condition") or {}, self._groups)
            name = self.names.get(parent.get("id"))
            if name is None and compile_condition(wanted, where="its condition")({}):
                continue
            if parent.get("gate"):
                blocked = [{"experience": name, "condition": {"$not": wanted}}] if name is not None else []
                prerequisites = {"prerequisites": [*found, *blocked]} if found or blocked else {}
                self._roll_out(rule, {"name": f"rule-{rule.place}-blocked-{number}"}, prerequisites)
            if name is None:
                if not parent.get("gate"):
                    raise LeftOut(say('needs "{feature}", which is not in the payload', feature=parent.get("id")))
                return None
            found.append({"experience": name, "condition": wanted})
        return found

    # --- rules that force a value ---

    def _forced(self, rule: _Rule, parents: list[dict[str, Any]]) -> None:
        body = rule.body
        audience = self._audience(body)
        variant = {"name": f"rule-{rule.place}", **_content(body["force"]), **_depth(audience)}
        partly = body.keys() & {"coverage", "range"}
        if not (partly or parents or body.get("filters")):
            rule.into.variants.append({**variant, **audience})
            rule.into.order.append(variant["name"])
            return
        table = {**audience, **self._namespaces(body, legacy=False), **({"prerequisites": parents} if parents else {})}
        if partly:
            table |= self._division(body, seed=rule.feature)
            if "range" in body:
                table["ranges"] = [_range(body["range"])]
            elif _share(body["coverage"]) == 1:
                table["ranges"] = [[0.0, 1.0]]  # coverage 1 needs no identifier here, as a range does
            else:
                table["coverage"] = _share(body["coverage"])
        self._roll_out(rule, variant, table)

    def _roll_out(self, rule: _Rule, variant: dict[str, Any], table: dict[str, Any]) -> None:
        rule.into.variants.append(variant)
        name = f"{self.names[rule.feature]}:{variant['name']}"
        rule.into.experiments.append({"name": name, "variations": [variant["name"]], **table})
        rule.into.order.append(name)

    # --- rules with variations ---

    def _divided(self, rule: _Rule, parents: list[dict[str, Any]]) -> None:
        body = rule.body
        values = body["variations"]
        if not isinstance(values, list) or len(values) < 2:
            raise LeftOut(say("has fewer than two variations: nobody is in it"))
        key = str(body.get("key") or rule.feature)
        audience = self._audience(body)
        meta = [one if isinstance(one, Mapping) else {} for one in body.get("meta") or ()]
        meta += [{}] * (len(values) - len(meta))
        table = {
            **audience, **self._division(body, seed=key), **self._parts(body, len(values)),
            **self._namespaces(body, legacy=True), **({"prerequisites": parents} if parents else {}),
            **_versions(body),
        }  # fmt: skip
        through = [place for place, one in enumerate(meta[: len(values)]) if one.get("passthrough")]
        if through:
            self.note(rule.feature, rule.place, say("passes some on, who are no longer counted"), lost=False)
            table = _without(table, through, len(values))
        suffixes = [str(one.get("key") or at) for at, one in enumerate(meta[: len(values)])]
        if len(set(suffixes)) < len(suffixes):
            suffixes = [str(at) for at in range(len(values))]
        variants = {
            suffix: {**_content(value), **_depth(audience)}
            for at, (suffix, value) in enumerate(zip(suffixes, values, strict=True))
            if at not in through
        }
        if variants:
            self._add(rule, key, variants, table)

    def _add(self, rule: _Rule, key: str, variants: Mapping[str, Any], table: dict[str, Any]) -> None:
        """An experiment, by a name of its own: one and the same may be in several features."""
        name, one = key_of(key), {"variations": list(variants), **table}
        while name in rule.into.order or self._taken.setdefault(name, one) != one:
            name = key_of(f"{name}:{self.names[rule.feature]}")
        if name != key:
            self.note(rule.feature, rule.place, say("is the experiment {name}", name=name), lost=False)
        rule.into.variants.extend({"name": f"{name}/{suffix}", **slots} for suffix, slots in variants.items())
        names = [f"{name}/{suffix}" for suffix in variants]
        rule.into.experiments.append({"name": name, "variations": names, **table})
        rule.into.order.append(name)

    def _audience(self, body: Mapping[str, Any]) -> dict[str, Any]:
        if not body.get("condition"):
            return {}
        condition = condition_of(body["condition"], self._groups)
        self.reads |= names_in(condition)
        return {"audience": condition}

    def _division(self, body: Mapping[str, Any], *, seed: str) -> dict[str, Any]:
        """By what people are divided."""
        sticky = not body.get("disableStickyBucketing")
        unit = self._units[str(body.get("hashAttribute") or "id")]
        fallback = self._units[str(body["fallbackAttribute"])] if sticky and body.get("fallbackAttribute") else None
        return {
            "unit": unit,
            **({"fallback_unit": fallback} if fallback not in (None, unit) else {}),
            **({} if sticky else {"sticky": False}),
            "seed": key_of(body.get("seed") or seed),
            "hash_version": _hash_version(body.get("hashVersion") or 1),
        }

    def _parts(self, body: Mapping[str, Any], count: int) -> dict[str, Any]:
        """Into which parts."""
        if body.get("ranges"):
            given = [_range(one) for one in body["ranges"]][:count]
            return {"ranges": given + [[0.0, 0.0]] * (count - len(given))}
        found: dict[str, Any] = {}
        if body.get("coverage", 1) != 1:
            found["coverage"] = _share(body["coverage"])
        weights = body.get("weights")
        if weights is not None:
            if abs(sum(weights) - 1) < 0.009 and len(weights) == count and min(weights) >= 0:
                found["weights"] = weights
            else:  # equal ones, or nearly what they say
                parts = shares(count, coverage=found.pop("coverage", 1.0), weights=weights)
                found["ranges"] = [_range(list(one)) for one in parts]
        return found

    def _namespaces(self, body: Mapping[str, Any], *, legacy: bool) -> dict[str, Any]:
        if body.get("filters"):
            parts = [
                {
                    "name": key_of(one.get("seed") or ""),
                    "unit": self._units[str(one.get("attribute") or "id")],
                    "ranges": [_range(part) for part in one.get("ranges") or ()],
                    "hash_version": _hash_version(one.get("hashVersion") or 2),
                    "exclusive": False,
                }
                for one in body["filters"]
            ]
            return {"namespaces": parts}
        if legacy and body.get("namespace"):
            name, low, high = body["namespace"]
            part = {"name": key_of(f"__{name}"), "ranges": [_range([low, high])], "hash_version": 1, "exclusive": False}
            return {"namespaces": [part]}
        return {}


@attrs.define(kw_only=True)
class _Table:
    fallback: dict[str, Any]
    variants: list[dict[str, Any]] = attrs.field(factory=list)
    experiments: list[dict[str, Any]] = attrs.field(factory=list)
    order: list[str] = attrs.field(factory=list)

    def as_table(self) -> dict[str, Any]:
        return {key: value for key, value in attrs.asdict(self).items() if value}


class _Rule(NamedTuple):
    feature: str
    place: int
    body: Mapping[str, Any]
    into: _Table


def _names(features: Mapping[str, Any]) -> dict[str, str]:
    """Each feature's name here, no two alike."""
    found = dict[str, str]()
    for feature in features:
        words = [word.strip("_") for word in _UNFIT.sub("_", _HUMP.sub("_", feature).lower()).split(".")]
        name = ".".join(word for word in words if word)[:90] or "feature"
        name = name if name[0].isalpha() else f"feature_{name}"
        several = 2
        while name in found.values():
            name = f"{name.removesuffix(f'_{several - 1}')}_{several}"
            several += 1
        found[feature] = name
    return found


def _content(value: object) -> dict[str, Any]:
    return {} if value is None else {"content": value_of(value)}


def _depth(audience: Mapping[str, Any]) -> dict[str, int]:
    """How personal: by traits it is individual, by anything else that is asked for contextual."""
    names = names_in(audience.get("audience", {}))
    return {"depth": 3 if "traits" in names else 1} if names else {}


def _versions(body: Mapping[str, Any]) -> dict[str, int]:
    version, least = body.get("bucketVersion") or 0, body.get("minBucketVersion") or 0
    if least > version:
        raise LeftOut(say("has a minBucketVersion over its bucketVersion"))
    return {key: one for key, one in (("version", version), ("min_version", least)) if one}


def _without(table: Mapping[str, Any], through: Sequence[int], count: int) -> dict[str, Any]:
    """An experiment less those of its variations that pass on: who falls there takes no part."""
    parts = table.get("ranges") or [
        _range(list(one))
        for one in shares(count, coverage=table.get("coverage", 1.0), weights=table.get("weights", ()))
    ]
    left = [at for at in range(count) if at not in through]
    if any(max(parts[a][0], parts[b][0]) < min(parts[a][1], parts[b][1]) for a in through for b in left if a < b):
        raise LeftOut(say("has ranges that overlap one which passes on"))
    rest = {key: value for key, value in table.items() if key not in ("ranges", "coverage", "weights")}
    return {**rest, "ranges": [parts[at] for at in left]}


def _hash_version(version: object) -> int:
    if version in (1, 2):
        return int(version == 2) + 1
    raise LeftOut(say("has a hashVersion that there is not"))


def _share(value: float) -> float:
    return float(min(max(value, 0), 1))


def _range(part: Sequence[float]) -> list[float]:
    low, high = (_share(one) for one in part)
    return [low, max(low, high)]
