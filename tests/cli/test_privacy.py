"""``cxkit privacy``: found with no value, told to them alone, erased as far as that is seen; and what nobody uses."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.terminal import cxkit, environment

PERSONAL = ("nancy", "gold", "+33", "612345678", "otto")


@pytest.fixture
def shop(visited: Path, tmp_path: Path) -> Path:
    """A copy of what was visited, in development mode as it was then."""
    shutil.copytree(visited / ".cxkit", tmp_path / ".cxkit")
    (tmp_path / "cxkit.toml").write_text("development = true\n")
    return tmp_path


def told(folder: Path, *arguments: str, code: int = 0, **environ: str) -> str:
    done = cxkit("privacy", *arguments, cwd=folder, **{"TZ": "UTC", **environ})
    assert done.returncode == code, done.stderr
    return done.stdout


# --- find -----------------------------------------------------------------------------------------


def test_it_shows_where_something_is_held_and_no_value(shop: Path) -> None:
    text = told(shop, "find", "nancy")
    assert re.search(r"^store +identifiers +3$", text, re.MULTILINE)
    assert re.search(r"^store +people, with their traits +1$", text, re.MULTILINE)
    assert re.search(r"^local file +interactions +\d+$", text, re.MULTILINE)
    assert not [word for word in PERSONAL if word in text]


@pytest.mark.parametrize("subject", ["phone:+33 6 12 34 56 78", "user_id:nancy", "user_id=nancy"])
def test_by_any_identifier_the_same_is_found(shop: Path, subject: str) -> None:
    assert told(shop, "find", subject, "--json") == told(shop, "find", "nancy", "--json")


def test_a_visitor_may_be_named_by_how_the_value_begins(shop: Path) -> None:
    disclosed = json.loads(told(shop, "disclose", "nancy", "--json"))
    visitors = {one["value"] for one in disclosed["identifiers"] if one["type"] == "visitor"}
    hers = [one for one in visitors if one]
    assert hers
    for value in hers:
        assert told(shop, "find", f"visitor:{value[:10]}", "--json") == told(shop, "find", f"visitor:{value}", "--json")


def test_a_contact_may_be_named_by_how_its_key_begins(shop: Path) -> None:
    disclosed = json.loads(told(shop, "disclose", "nancy", "--json"))
    (phone,) = [one["key"] for one in disclosed["identifiers"] if one["type"] == "phone"]
    for beginning in (phone[:8], phone):
        assert told(shop, "find", f"phone:{beginning}", "--json") == told(shop, "find", "nancy", "--json")


def test_what_is_in_an_applications_memory_is_not_said_to_be_nothing(shop: Path) -> None:
    done = cxkit("privacy", "erase", "nancy", "--yes", cwd=shop, CXKIT_STORE__TYPE="memory")
    assert done.returncode == 1
    assert "in the memory of the application" in done.stderr


def test_for_programs(shop: Path) -> None:
    found = json.loads(told(shop, "find", "nancy", "--json"))
    assert found.keys() == {"store", "kept", "spools", "dead_letters", "local", "unread"}
    assert found["store"]["identifier"] == 3
    assert found["local"] > 3


def test_of_nobody_there_is_nothing_and_nothing_is_made(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert told(shop, "find", "peter") == "nothing is held of them\n"
    empty = tmp_path_factory.mktemp("empty")
    done = cxkit("privacy", "find", "peter", cwd=empty)
    assert done.returncode == 1
    assert "no identifier was ever kept" in done.stderr
    assert not [*empty.iterdir()]


@pytest.mark.parametrize("verb", [("find", "peter"), ("disclose", "peter"), ("erase", "peter"), ("unused",)])
def test_it_says_where_it_looked_and_that_settings_in_code_are_not_read(verb: tuple[str, ...], shop: Path) -> None:
    looked = f"looking in {shop / '.cxkit'}, store sqlite\n"
    assert cxkit("privacy", *verb, cwd=shop).stderr == looked
    (shop / "settings.py").write_text("CXKIT = {'directory': 'elsewhere'}\n")
    told = cxkit("privacy", *verb, cwd=shop).stderr
    assert told.startswith(looked + "settings.py:1 gives settings in code, which this command does not read")
    assert "CXKIT_DIRECTORY" in told


def test_where_nothing_was_ever_kept_it_says_where_that_is(shop: Path, tmp_path: Path) -> None:
    done = cxkit("privacy", "find", "nancy", cwd=shop, CXKIT_DIRECTORY=str(tmp_path / "other"))
    assert done.returncode == 1
    assert f"{tmp_path / 'other'} has nothing of anybody: no identifier was ever kept there" in done.stderr


def run(folder: Path, program: str) -> None:
    subprocess.run([sys.executable, "-c", program], cwd=folder, env=environment(), check=True, timeout=60)


@pytest.mark.parametrize("verb", [("find",), ("disclose",), ("erase", "--yes")])
@pytest.mark.parametrize(
    ("subject", "told"),
    [
        ("emial:x@example.com", 'did you mean "email"?'),
        ("Email:x@example.com", 'did you mean "email"?'),
        ("google:77", "user_id:google:..."),
        ("null", "names nobody"),
        ("visitor:", "names nobody"),
        ("email:null", "names nobody"),
        (":x", "nothing here is of the type"),
    ],
)
def test_who_cannot_be_is_refused_and_nothing_is_made(
    verb: tuple[str, ...], subject: str, told: str, visited: Path
) -> None:
    done = cxkit("privacy", *verb, subject, cwd=visited, CXKIT_DEVELOPMENT="true")
    assert (done.returncode, done.stdout) == (2, "")
    assert told in " ".join(done.stderr.split())
    assert "CX" not in done.stderr


def test_a_type_that_was_only_captured_is_known(shop: Path) -> None:
    run(
        shop,
        "import cxkit\nwith cxkit.scope(till='7', evidence='cookie'):\n    cxkit.grant('analytics')\n"
        "assert cxkit.flush(timeout_s=30).complete\n",
    )
    assert "choices" in told(shop, "find", "till:7")
    told(shop, "erase", "till:7", "--yes")
    assert told(shop, "find", "till:7").startswith("nothing is held of them\n"), "the tombstone is of them"


def test_a_type_that_is_declared_is_known(shop: Path) -> None:
    with (shop / "cxkit.toml").open("a") as file:
        file.write("[identity.types.card]\nkind = 'strong'\n")
    assert told(shop, "find", "card:7") == "nothing is held of them\n"
    assert 'did you mean "card"?' in " ".join(cxkit("privacy", "find", "crad:7", cwd=shop).stderr.split())


def test_what_could_not_be_looked_at_is_said(shop: Path) -> None:
    (shop / ".cxkit" / "state.db").write_text("no store")
    done = cxkit("privacy", "find", "nancy", cwd=shop)
    assert done.returncode == 1
    assert "the store could not be read" in done.stderr
    assert cxkit("privacy", "disclose", "nancy", cwd=shop).returncode == 1


# --- disclose -------------------------------------------------------------------------------------


def test_it_is_told_as_they_can_read_it(shop: Path) -> None:
    text = told(shop, "disclose", "nancy")
    assert "  user_id nancy, since " in text
    assert re.search(r"^  phone, of which only a code is kept \([0-9a-f]{8}\)$", text, re.MULTILINE)
    assert '  plan = "gold" (you said so, ' in text
    assert re.search(r"^  \S+ \S+  analytics: granted \(you accepted, web, policy strict/1\)$", text, re.MULTILINE)
    assert "order.placed" in text
    assert "otto" not in text


def test_nothing_of_her_is_told_to_another_on_her_tablet(shop: Path) -> None:
    text = told(shop, "disclose", "otto") + told(shop, "disclose", "otto", "--json")
    assert not [word for word in ("nancy", "product.compared", "order.placed", "+33") if word in text]
    assert "user_id otto" in text


def test_it_is_told_in_french(shop: Path) -> None:
    text = told(shop, "disclose", "nancy", LANGUAGE="fr")
    assert text.startswith("ce qui est conservé à votre sujet, au ")
    assert re.search('^  plan = "gold" [(]déclaré par vous, ', text, re.MULTILINE)
    assert not re.search(r"\b(granted|denied)\b", text)
    assert re.search(
        "^  .+  analytics\u00a0: accordé [(]vous avez accepté, web, politique strict/1[)]$", text, re.MULTILINE
    )


def test_what_cxkit_itself_captured_is_told_in_words_alone(shop: Path) -> None:
    run(
        shop,
        "import cxkit\n"
        "with cxkit.scope(user_id='nancy', evidence='login', channel='web'):\n"
        "    cxkit.choose('analytics', notice=cxkit.Notice(id='banner', version='4', language='fr'))\n"
        "    cxkit.touchpoint('order.packed', purpose='necessary').capture(box=3)\n"
        "assert cxkit.flush(timeout_s=30).complete\n",
    )
    text = told(shop, "disclose", "nancy")
    assert re.search(r"profiling: denied \(.+, policy strict/1, you saw the notice banner version 4 fr\)$", text, re.M)
    own = [line for line in text.splitlines() if "consent.changed" in line]
    assert any("profiling denied" in line for line in own)
    assert not [line for line in own if "{" in line]
    assert 'order.packed  {"box": 3}\n' in text


def test_what_lies_in_the_spool_and_in_the_local_file_is_told_once(shop: Path) -> None:
    app = (
        "import cxkit, sys\n"
        "with cxkit.scope(user_id='nancy', evidence='login', channel='web'):\n"
        "    cxkit.touchpoint('order.packed', purpose='necessary').capture(box=3)\n"
        "assert cxkit.flush(timeout_s=30).complete\nprint('ready', flush=True)\nsys.stdin.read()\n"
    )
    pipe = subprocess.PIPE
    running = subprocess.Popen(
        [sys.executable, "-c", app], cwd=shop, env=environment(), stdin=pipe, stdout=pipe, text=True
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "ready\n"
    names = [one["type"] for one in json.loads(told(shop, "disclose", "nancy", "--json"))["spooled"]]
    text = told(shop, "disclose", "nancy")
    running.communicate("", timeout=60)
    assert "what is kept in the spool on this machine, delivered or not\n" in text
    assert any("order.packed" in name for name in names)
    assert text.partition("what is kept in the spool")[2].count("order.packed") == 1


def test_it_is_written_to_a_file_of_this_user_alone(shop: Path) -> None:
    assert told(shop, "disclose", "nancy", "--json", "-o", "hers.json") == "written to hers.json\n"
    path = shop / "hers.json"
    assert path.stat().st_mode & 0o777 == 0o600
    told_again = json.loads(told(shop, "disclose", "nancy", "--json"))
    written = json.loads(path.read_text())
    assert {**written, "disclosed_at": None} == {**told_again, "disclosed_at": None}
    done = cxkit("privacy", "disclose", "nancy", "-o", "hers.json", cwd=shop)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "hers.json: there is one of this name already: name another, or remove it"
    assert json.loads(path.read_text()) == written
    french = cxkit("privacy", "disclose", "nancy", "-o", "hers.json", cwd=shop, LANGUAGE="fr")
    assert "il y en a déjà un de ce nom" in french.stderr


def test_who_names_a_shared_tablet_is_told_nothing_of_its_owner(shop: Path) -> None:
    tablets = {
        one["value"]
        for one in json.loads(told(shop, "disclose", "nancy", "--json"))["identifiers"]
        if one["type"] == "visitor"
    }
    assert len(tablets) == 2, "her phone is her own"
    texts = [told(shop, "disclose", f"visitor:{one}") for one in tablets]
    assert sorted("nancy" in text for text in texts) == [False, True]


# --- erase ----------------------------------------------------------------------------------------


def test_without_a_yes_nothing_is_erased(shop: Path) -> None:
    before = told(shop, "find", "nancy", "--json")
    done = cxkit("privacy", "erase", "nancy", cwd=shop)
    assert done.returncode == 1
    assert "nothing was done" in done.stderr
    assert "identifiers" in done.stdout, "what it is about is shown first"
    assert cxkit("privacy", "erase", "nancy", "--json", cwd=shop).returncode == 1
    assert told(shop, "find", "nancy", "--json") == before


def test_all_of_it_goes_and_what_is_said_names_nobody(shop: Path) -> None:
    done = cxkit("privacy", "erase", "phone:+33612345678", "--yes", cwd=shop)
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert "the store ..." in done.stderr
    before, looked, after = done.stdout.partition("looked again:\n")
    assert looked
    assert re.search(r"^development +done", before, re.MULTILINE)
    assert "identifiers" not in after
    assert not [word for word in PERSONAL if word in done.stdout + done.stderr]
    found = json.loads(told(shop, "find", "nancy", "--json"))
    assert (found["store"], found["local"]) == ({}, 0)
    assert "gold" not in told(shop, "disclose", "nancy")
    assert "user_id otto" in told(shop, "disclose", "otto"), "who shared her tablet is still there"


def test_what_cannot_be_erased_is_left_and_fails(shop: Path) -> None:
    with (shop / "cxkit.toml").open("a") as file:
        file.write('[exporters.paper]\ntype = "file"\npath = "out.jsonl"\npurposes = ["necessary"]\n')
    done = cxkit("privacy", "erase", "nancy", "--yes", "--json", cwd=shop)
    answer = json.loads(done.stdout)
    assert done.returncode == 1
    assert (answer["committed"], answer["complete"]) == (True, False)
    assert answer["receipts"]["paper"] == {"outcome": "not erased", "why": "stays", "detail": ""}
    assert answer["left"]["store"] == {}


def test_of_an_exporter_that_cannot_erase_nobody_is_told_to_ask_again(shop: Path) -> None:
    with (shop / "cxkit.toml").open("a") as file:
        file.write('[exporters.paper]\ntype = "file"\npath = "out.jsonl"\npurposes = ["necessary"]\n')
    for _ in range(2):
        done = cxkit("privacy", "erase", "nancy", "--yes", cwd=shop)
        assert done.returncode == 1
        assert done.stderr.endswith(
            "erased here; asking again changes nothing more\ntake out by hand what these have written: paper\n"
        )


def test_for_somebody_who_is_known_nowhere_nothing_is_made(shop: Path) -> None:
    assert told(shop, "erase", "peter") == (
        "nothing is held of them\n"
        "so there is nothing to erase; if other systems may have them, cxkit.erase asks these, too\n"
    )
    answer = json.loads(told(shop, "erase", "peter", "--json"))
    assert (answer["complete"], answer["committed"], answer["command"]) == (True, False, None)
    assert told(shop, "find", "peter") == "nothing is held of them\n", "not even a tombstone"
    told(shop, "erase", "peter", "--suppress", "--yes")
    assert "tombstones 1" in told(shop, "find", "peter"), "who is to be barred is noted, known or not"


def test_beside_an_application_that_runs(shop: Path) -> None:
    app = (
        "import cxkit, sys\nSEEN = cxkit.touchpoint('blog.read')\n"
        "with cxkit.scope(user_id='nancy', evidence='login', channel='web'):\n"
        "    cxkit.grant('analytics')\n    SEEN.capture(text='almonds')\n"
        "cxkit.flush(timeout_s=30)\nprint('ready', flush=True)\nsys.stdin.read()\n"
    )
    pipe = subprocess.PIPE
    running = subprocess.Popen(
        [sys.executable, "-c", app], cwd=shop, env=environment(), stdin=pipe, stdout=pipe, text=True
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "ready\n"
    done = cxkit("privacy", "erase", "nancy", "--yes", "--json", cwd=shop)
    running.communicate("", timeout=60)
    answer = json.loads(done.stdout)
    assert answer["held"]["spools"]["live"] > 0
    assert answer["left"]["spools"] == {"own": 0, "live": 0, "abandoned": 0}
    assert done.returncode == 0, answer
    assert b"almonds" not in b"".join(one.read_bytes() for one in shop.glob(".cxkit/**/*.seg"))


def test_a_date_is_for_who_may_not_come_back(shop: Path) -> None:
    done = cxkit("privacy", "erase", "nancy", "--yes", "--until", "2030-01-01", cwd=shop)
    assert done.returncode == 2
    assert "--suppress" in done.stderr
    past = cxkit("privacy", "erase", "nancy", "--yes", "--suppress", "--until", "2020-01-01", cwd=shop)
    assert (past.returncode, past.stdout) == (2, "")
    assert "this is past" in past.stderr
    assert cxkit("privacy", "erase", "nancy", "--yes", "--suppress", "--until", "2030-01-01", cwd=shop).returncode == 0
    assert told(shop, "find", "nancy").startswith("nothing is held of them\n")


# --- unused ---------------------------------------------------------------------------------------

_SHOP = """
import cxkit
cxkit.experience(
    "home.hero", variants=[cxkit.Variant(name="gold", audience={"traits.plan": "gold"}, depth=2)],
)
"""


def test_each_field_has_its_readers_and_its_decisions(shop: Path) -> None:
    (shop / "shopfront.py").write_text(_SHOP)
    fields = {one["field"]: one for one in json.loads(told(shop, "unused", "shopfront", "--json"))["fields"]}
    assert fields["traits.plan"]["held"] == 3
    assert fields["traits.plan"]["readers"] == ["home.hero"]
    assert fields["traits.plan"]["decisions"] >= 1
    assert not fields["traits.plan"]["unused"]
    assert fields["context.page.method"]["unused"]
    assert fields["contacts"]["readers"] == ["the profile"]
    (shop / "shopfront.py").write_text(f"{_SHOP}cxkit.journey('buying', steps=['cart.item_added', '/paid'])\n")
    fields = {one["field"]: one for one in json.loads(told(shop, "unused", "shopfront", "--json"))["fields"]}
    assert fields["contacts"]["readers"] == ["the profile", "journeys"]


_DEEPER = """
import cxkit
cxkit.experience(
    "home.hero",
    variants=[cxkit.Variant(name="a"), cxkit.Variant(name="b")],
    experiments=[
        cxkit.Experiment(
            name="t", variations=["default", "a"], audience={"$or": [{"traits.plan": "gold"}, {"country": "FR"}]}
        )
    ],
)
cxkit.experience("home.shelf", variants=[cxkit.Variant(name="a", audience={"traits": {"$exists": True}})])
"""


def test_a_field_is_read_however_deep_it_is_named(shop: Path) -> None:
    (shop / "shopfront.py").write_text(_DEEPER)
    fields = {one["field"]: one for one in json.loads(told(shop, "unused", "shopfront", "--json"))["fields"]}
    assert fields["traits.plan"]["readers"] == ["home.hero", "home.shelf"]


@pytest.mark.parametrize(("policy", "free"), [("strict", ["residence"]), ("regional", [])])
def test_what_consent_reads_is_not_unused(shop: Path, policy: str, free: list[str]) -> None:
    with (shop / "cxkit.toml").open("a") as file:
        file.write(f'[consent]\npolicy = "{policy}"\n')
    run(
        shop,
        "import cxkit\nwith cxkit.scope():\n    cxkit.grant('analytics')\n"
        "    cxkit.identify(user_id='kid', traits={'minor': True, 'residence': 'US-CA'})\n"
        "assert cxkit.flush(timeout_s=30).complete\n",
    )
    fields = {one["field"]: one for one in json.loads(told(shop, "unused", "--json"))["fields"]}
    assert fields["traits.minor"]["readers"] == ["every gate of consent"]
    mine = ("traits.minor", "traits.residence")
    assert [name.partition(".")[2] for name in mine if fields[name]["unused"]] == free


def test_without_the_module_what_was_tried_is_still_seen(shop: Path) -> None:
    fields = {one["field"]: one for one in json.loads(told(shop, "unused", "--json"))["fields"]}
    assert fields["traits.plan"]["readers"] == []
    text = told(shop, "unused")
    assert re.search(r"^context\.page\.method +\d+ +- +0$", text, re.MULTILINE)
    assert "stop keeping them" in text
    assert not [word for word in PERSONAL if word in text]
