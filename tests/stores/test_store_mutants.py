"""The suite is judged: each of its checks must catch a store that is broken in the way it guards against.

A mutant is the reference with a line or two changed, so it also fails to build, and has to be
looked at again, when the reference changes there.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import Phase, settings

from cxkit.stores import memory
from cxkit.testing.store_suite import StoreSuite
from tests.stores.mutants import Mutant, built, checks_of, passes

CHECKS = checks_of(StoreSuite)
REFERENCE = (
    inspect.getsource(memory)
    + """
import fnmatch, json, re, time
from cxkit import stores
from cxkit.errors import StoreError

_saved = {}
_cache = {}

def _as_text(body):
    return json.dumps(body, default=str).encode()

def _unchecked(puts):
    return {key: None if put.body is None else stores._encode(put.body) for key, put in puts.items()}

class Durable(MemoryStore):
    def close(self):
        _saved.update(self._rows)
        super().close()

    def another(self):
        handle = type(self)()
        handle.__dict__ = self.__dict__
        return handle

    def reopened(self):
        store = type(self)()
        store._rows.update(_saved)
        store._token = max(row.token for row in _saved.values())
        return store
"""
)


ENCODED = "        bodies = encode_puts(puts, expected=expected)\n"
CHECKED = "            check_versions(expected, {key: version for key, version, _ in _living(rows, expected)})\n"
PUT = "                rows[key] = _Row(rows.get(key, _Row()).version + 1, self._token, body, terms)\n"
TERMS = "                terms = frozenset() if body is None else frozenset(puts[key].terms)\n"
TOKEN = "                self._token += 1\n"
COMMIT = "        with self._locked() as rows:\n" + CHECKED
GET = """        with self._locked() as rows:
            return {key: document(key, version, body) for key, version, body in _living(rows, wanted)}
"""

MUTANTS = [
    Mutant("does not say whether it is remote", "fills_the_role", {"remote = False": "remote = None"}),
    Mutant("missing key raises", "get_many_leaves_out_what_does_not_exist", {"rows.get(key)\n": "rows[key]\n"}),
    Mutant("as many keys as SQL takes", "many_documents_at_once", {"list(keys)": "list(keys)[:999]"}),
    Mutant(
        "another default limit",
        "many_documents_at_once",
        {"_since(self, token: int, *, limit: int = 1000)": "_since(self, token, *, limit=100)"},
    ),
    Mutant("versions from zero", "versions_count_from_one", {"version: int = 0": "version: int = -1"}),
    Mutant(
        "partial commit",
        "conflict_writes_nothing",
        {
            CHECKED: "",
            PUT: f"                here = {{key: rows[key].version for key in rows}}\n"
            f"                check_versions({{key: expected[key]}}, here)\n{PUT}",
        },
    ),
    Mutant("older writers win", "conflict_writes_nothing", {CHECKED: ""}),
    Mutant(
        "read keys unchecked",
        "expected_covers_what_was_only_read",
        {CHECKED: CHECKED.replace("(expected, {", "({key: expected[key] for key in puts}, {")},
    ),
    Mutant(
        "read keys written",
        "expected_covers_what_was_only_read",
        {
            CHECKED: CHECKED
            + "            rows.update({k: rows[k]._replace(version=9) for k in expected if k in rows})\n"
        },
    ),
    Mutant(
        "not expected is new",
        "expected_must_name_every_put",
        {ENCODED: "        expected = dict.fromkeys(puts, 0) | dict(expected)\n" + ENCODED},
    ),
    Mutant(
        "anything is text",
        "refuses_what_is_not_json",
        {ENCODED: "        bodies = {key: _as_text(put.body) for key, put in puts.items()}\n"},
    ),
    Mutant(
        "refuses only when it meets it",
        "refuses_what_is_not_json",
        {
            ENCODED: "        bodies = {key: put.body for key, put in puts.items()}\n",
            TERMS: "                body = None if body is None else stores._encode(body)\n" + TERMS,
        },
    ),
    Mutant(
        "any key will do",
        "refuses_what_is_no_key",
        {ENCODED: "        bodies = _unchecked(puts)\n"},
    ),
    Mutant(
        "counts bytes",
        "a_key_has_up_to_200_characters",
        {
            ENCODED: ENCODED
            + "        if any(len(key.encode()) > 200 for key in puts): raise StoreError('x', fix='y')\n"
        },
    ),
    Mutant(
        "null is zero",
        "any_json_comes_back",
        {PUT: PUT.replace("body,", "body and body.replace(b'null', b'0'),")},
    ),
    Mutant(
        "keeps the caller's body",
        "bodies_are_nobodys",
        {
            ENCODED: ENCODED + "        bodies = {key: put.body for key, put in puts.items()}\n",
            "check_versions, document, encode_puts": "check_versions, encode_puts\n"
            "def document(key, version, body): return Document(key=key, version=version, body=body)",
        },
    ),
    Mutant(
        "hands out one body",
        "bodies_are_nobodys",
        {GET: GET.replace("document(", "_cache.setdefault((key, version), document(").replace("body) f", "body)) f")},
    ),
    Mutant("deleted keeps terms", "deleted_is_gone_from_every_read", {"frozenset() if body is None else ": ""}),
    Mutant(
        "deletions are not told",
        "deleted_is_gone_from_every_read",
        {"if row.token > token": "if row.body is not None"},
    ),
    Mutant(
        "version restarts",
        "versions_go_on_after_a_deletion",
        {
            PUT: PUT.replace(
                "_Row(rows.get(key, _Row()).version + 1",
                "_Row(1 + max([v for _, v, _ in _living(rows, [key])] + [0])",
            )
        },
    ),
    Mutant(
        "the deleted has a version",
        "versions_go_on_after_a_deletion",
        {CHECKED: "            check_versions(expected, {key: rows[key].version for key in rows})\n"},
    ),
    Mutant("terms add up", "terms_are_replaced", {TERMS: TERMS[:-1] + " | rows.get(key, _Row()).terms\n"}),
    Mutant("term matches in part", "terms_are_replaced", {"term in row.terms": "term in ' '.join(row.terms)"}),
    Mutant(
        "lookup unsorted",
        "lookup_is_sorted_and_limited",
        {"sorted(key for key, row in": "list(key for key, row in"},
    ),
    Mutant(
        "lookup unlimited",
        "lookup_is_sorted_and_limited",
        {"term in row.terms)[:limit]": "term in row.terms)"},
    ),
    Mutant(
        "prefix is a LIKE pattern",
        "scan_takes_the_prefix_literally",
        {
            "key.startswith(prefix)": "re.match("
            "re.escape(prefix).replace('%', '.*').replace('_', '.'), key, re.I | re.S)"
        },
    ),
    Mutant(
        "prefix is a GLOB pattern",
        "scan_takes_the_prefix_literally",
        {"key.startswith(prefix)": "fnmatch.fnmatchcase(key, prefix + '*')"},
    ),
    Mutant(
        "scan by an order of words",
        "scan_is_ordered_and_goes_on_after",
        {
            "            found = sorted(key for key": "            found = list(key for key",
            "_living(rows, found)][:limit]": "_living(rows, sorted(found, key=str.casefold))][:limit]",
        },
    ),
    Mutant("scan includes after", "scan_is_ordered_and_goes_on_after", {"key > after": "key >= after"}),
    Mutant(
        "scan loses the first",
        "scan_is_ordered_and_goes_on_after",
        {"and key > after)": "and key > after)[1:]"},
    ),
    Mutant(
        "changes include the token",
        "changes_tell_the_last_of_each_key_in_order",
        {"row.token > token": "row.token >= token"},
    ),
    Mutant("changes twice", "changes_tell_the_last_of_each_key_in_order", {"sorted(later,": "sorted(later * 2,"}),
    Mutant(
        "one token for a commit",
        "changes_tell_the_last_of_each_key_in_order",
        {TOKEN: "", CHECKED: CHECKED + "            self._token += 1\n"},
    ),
    Mutant(
        "token of a deletion again",
        "tokens_are_never_used_again",
        {
            TOKEN: "                living = [row.token for row in rows.values() if row.body]\n"
            "                self._token = max(living, default=0) + 1\n"
        },
    ),
    Mutant(
        "each handle remembers",
        "another_handle_sees_a_commit_at_once",
        {
            GET: GET.replace("return {", "return _cache.setdefault((id(self), *wanted), {").replace(
                "wanted)}", "wanted)})"
            )
        },
    ),
    Mutant(
        "lost update",
        "no_increment_is_lost",
        {
            COMMIT: COMMIT + "        time.sleep(0.0005)\n        with self._locked() as rows:\n",
        },
    ),
    Mutant(
        "read of many moments",
        "a_read_shows_one_moment",
        {
            GET: """        found = {}
        for key in wanted:
            with self._locked() as rows:
                found |= {key: document(key, version, body) for key, version, body in _living(rows, [key])}
            time.sleep(0.0002)
        return found
"""
        },
    ),
    Mutant(
        "tokens before the lock",
        "changes_miss_nothing_while_others_commit",
        {
            COMMIT: "        self._token += 1\n        token = self._token\n"
            "        time.sleep(token % 2 * 0.002)\n" + COMMIT,
            TOKEN: "",
            PUT: PUT.replace("self._token", "token"),
        },
    ),
    Mutant(
        "cannot close twice",
        "closing_twice_is_closing_once",
        {
            "        with self._lock:\n            self._closed": "        check_open(closed=self._closed)\n"
            "        with self._lock:\n            self._closed"
        },
    ),
    Mutant(
        "forgets the deleted",
        "what_is_committed_survives",
        {"_saved.update(self._rows)": "_saved.update({k: r for k, r in self._rows.items() if r.body})"},
    ),
    Mutant("tokens restart", "what_is_committed_survives", {"max(row.token for row in _saved.values())": "0"}),
    Mutant(
        "one document's terms for all",
        "does_what_the_model_does",
        {"frozenset(puts[key].terms)": "frozenset(next(iter(puts.values())).terms)"},
    ),
]


TRIES = 5


def made_from(changes: Mapping[str, str]) -> Callable[[], dict[str, Any]]:
    make = built(REFERENCE, changes).Durable

    def fixtures() -> dict[str, Any]:
        store = make()
        return {"store": store, "second": store.another(), "reopen": store.reopened}

    return fixtures


@pytest.fixture(autouse=True)
def _do_not_shrink() -> Iterator[None]:
    """That a mutant is caught is enough."""
    before = settings.get_current_profile_name()
    settings.register_profile("mutants", phases=[Phase.generate], derandomize=True, database=None)
    settings.load_profile("mutants")
    yield
    settings.load_profile(before)


@pytest.mark.parametrize("name", CHECKS)
def test_the_reference_passes(name: str) -> None:
    assert passes(CHECKS[name], made_from({}))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_is_caught(mutant: Mutant) -> None:
    """Sooner or later: a race among threads is not lost each time."""
    assert not all(passes(CHECKS[mutant.killer], made_from(mutant.changes)) for _ in range(TRIES))


def test_every_check_catches_something() -> None:
    assert {mutant.killer for mutant in MUTANTS} == CHECKS.keys()
