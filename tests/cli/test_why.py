from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.terminal import cxkit, environment


def told(folder: Path, *arguments: str) -> str:
    done = cxkit("why", *arguments, cwd=folder, TZ="UTC")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def row(text: str, name: str) -> str:
    (line,) = re.findall(rf"^  {re.escape(name)} +(.+)$", text, re.MULTILINE)
    return str(line)


def test_it_explains_by_what_a_person_is_recognised(visited: Path) -> None:
    text = told(visited, "nancy")
    assert text.startswith("recognised: user_id nancy\n")
    assert "user_id nancy (signed in): signed in first on " in text
    assert re.search(r"visitor \S+ \(signed cookie\): joined on .+, with 8 earlier interactions", text)
    assert "loyalty L-7 (only claimed): nothing proves that it is theirs" in text
    assert "1 other person signed in with one of these: a shared device stays apart" in text


def test_it_explains_what_stays_contested(visited: Path) -> None:
    text = told(visited, "otto")
    assert re.search(r"visitor \S+ \(signed cookie\): belongs to somebody else, and stays there: contested", text)
    assert "nancy" not in text


def test_it_tells_each_choice_with_its_time_method_and_source(visited: Path) -> None:
    text = told(visited, "nancy")
    assert re.fullmatch(
        r"granted  \d{4}-\d\d-\d\d [\d:]{8}  accept  /app \(web\)  until \d{4}-\d\d-\d\d [\d:]{8}",
        row(text, "analytics"),
    )
    assert re.fullmatch(r"denied  \d{4}-\d\d-\d\d [\d:]{8}  reject  /app \(web\)", row(text, "profiling"))


def test_where_nothing_was_chosen_it_tells_what_holds(visited: Path) -> None:
    text = told(visited, "email:nancy@example.org")
    assert "consent: policy strict/1" in text
    assert row(text, "necessary") == "needs no choice"
    assert row(text, "analytics") == "no choice: kept without identifiers"
    assert row(text, "advertising") == "no choice: kept without identifiers, and handed to nobody"
    dropping = cxkit("why", "email:nancy@example.org", cwd=visited, CXKIT_CONSENT__BEFORE_CHOICE="drop").stdout
    assert row(dropping, "analytics") == "no choice: nothing is kept"


def test_what_the_browser_says_is_no_choice_of_the_person(visited: Path) -> None:
    text = told(visited, "otto")  # on Nancy's tablet, whose browser objects
    assert row(text, "advertising") == "no choice of theirs; refused in the browser they last used"
    assert row(text, "analytics") == "no choice of theirs; allowed in the browser they last used"


def test_it_tells_decisions_with_their_depth_their_cap_and_their_reasons(visited: Path) -> None:
    text = told(visited, "nancy")
    assert "decisions: 1 in all\n" in text
    assert re.search(r"  home\.hero: gold\n    depth 2 of at most 2, for identity\n    gold: chosen\n", text)
    french = cxkit("why", "nancy", cwd=visited, LANGUAGE="fr").stdout.replace("\u00a0", "~")
    assert "  home.hero~: gold\n    profondeur 2 sur 2 au plus (identité)\n    gold~: choisi\n" in french
    assert not re.findall(r".*(?<=[^\d~\s]):(?=\s).*", french)
    assert told(visited, "otto").endswith("decisions: none\n")


def test_decisions_of_one_experience_are_told_apart(visited: Path) -> None:
    assert "decisions of home.hero: 1 in all\n" in told(visited, "nancy", "--experience", "home.hero")
    assert told(visited, "nancy", "--experience", "home.foot").endswith("decisions of home.foot: none\n")
    for name, experiences in (("home.hero", ["home.hero"]), ("home.foot", [])):
        found = json.loads(told(visited, "nancy", "--experience", name, "-n", "9", "--json"))["decisions"]
        assert [one["experience"] for one in found] == experiences


def test_traits_are_personal(visited: Path) -> None:
    assert "  traits: plan\n" in told(visited, "nancy")
    assert "  traits: plan = gold\n" in told(visited, "nancy", "--traits")
    assert json.loads(told(visited, "nancy", "--json"))["store"] == {"recognised": True, "traits": ["plan"]}
    assert json.loads(told(visited, "nancy", "--json", "--traits"))["store"]["traits"] == {"plan": "gold"}


def test_the_same_for_programs(visited: Path) -> None:
    answer = json.loads(told(visited, "nancy", "--json"))
    assert answer["policy"] == "strict/1"
    assert answer["others"] == 1
    assert answer["consent"]["analytics"]["choice"] == "granted"
    assert answer["consent"]["analytics"]["method"] == "accept"
    assert answer["consent"]["functional"] == {"choice": None, "browser": None, "unchosen": "anonymous"}
    assert answer["decisions"][0]["capped_by"] == "identity"
    assert {one["subject"]: one["claimed"] for one in answer["identifiers"]}["loyalty:L-7"] is True
    contested = json.loads(told(visited, "otto", "--json"))["identifiers"]
    assert [one["contested"] for one in contested] == [False, True]


@pytest.mark.parametrize("missing", ["keys.json", "state.db"])
def test_without_the_store_it_tells_what_the_local_file_knows(missing: str, visited: Path, tmp_path: Path) -> None:
    shutil.copytree(visited / ".cxkit", tmp_path / ".cxkit")
    (tmp_path / ".cxkit" / missing).unlink()
    before = set(tmp_path.rglob("*"))
    text = told(tmp_path, "nancy")
    assert "the store cannot be read from here" in text
    assert "granted" in row(text, "analytics")
    made = {one.name for one in tmp_path.rglob("*") if one not in before}
    assert made <= {"local.db-wal", "local.db-shm"}, "what SQLite needs to read"


def test_a_store_that_is_broken_is_no_reason_to_fail(visited: Path, tmp_path: Path) -> None:
    shutil.copytree(visited / ".cxkit", tmp_path / ".cxkit")
    (tmp_path / ".cxkit" / "state.db").write_text("no store")
    assert "the store cannot be read from here" in told(tmp_path, "nancy")


def test_what_was_chosen_elsewhere_comes_from_the_store(visited: Path, tmp_path: Path) -> None:
    shutil.copytree(visited / ".cxkit", tmp_path / ".cxkit")
    later = (
        "import cxkit\nwith cxkit.scope(user_id='nancy', evidence='login'):\n"
        "    cxkit.withdraw('analytics')\nassert cxkit.flush(timeout_s=30).complete\n"
    )
    subprocess.run([sys.executable, "-c", later], cwd=tmp_path, env=environment(), check=True, timeout=60)
    assert re.fullmatch(r"denied  \S+ \S+", row(told(tmp_path, "nancy"), "analytics"))


def test_how_long_a_choice_holds_and_under_whose_law(visited: Path, tmp_path: Path) -> None:
    shutil.copytree(visited / ".cxkit", tmp_path / ".cxkit")
    (tmp_path / "cxkit.toml").write_text('[consent]\npolicy = "regional"\n[exporters.here]\ntype = "local"\n'
                                         'purposes = ["analytics"]\n')  # fmt: skip
    later = (
        "import cxkit\nwith cxkit.scope(user_id='nancy', evidence='login'):\n"
        "    cxkit.identify(user_id='nancy', traits={'residence': 'US-NY'})\n"
        "    cxkit.grant('analytics')\nassert cxkit.flush(timeout_s=30).complete\n"
    )
    subprocess.run([sys.executable, "-c", later], cwd=tmp_path, env=environment(), check=True, timeout=60)
    text = told(tmp_path, "nancy")
    assert "consent: policy us/1\n  their region: US-NY (by their account)\n" in text
    assert re.fullmatch(r"granted  \S+ \S+ .* until \d{4}-\d\d-\d\d [\d:]{8}", row(text, "analytics"))
    assert row(text, "functional") == "needs no choice"
    nobody = told(tmp_path, "email:nancy@example.org")
    french = cxkit("why", "email:nancy@example.org", cwd=tmp_path, LANGUAGE="fr").stdout
    assert "  sa région est inconnue\u00a0: la politique la plus stricte vaut\n" in french
    assert "consent: policy strict/1\n  their region is not known: the strictest holds\n" in nobody


def erased(folder: Path, *options: str) -> str:
    done = cxkit("privacy", "erase", "nancy", "--yes", *options, cwd=folder, CXKIT_DEVELOPMENT="true")
    assert done.returncode == 0, done.stderr
    return told(folder, "nancy")


def test_whom_the_store_alone_knows_is_explained_from_it(visited: Path, tmp_path: Path) -> None:
    shutil.copytree(visited / ".cxkit", tmp_path / ".cxkit")
    (tmp_path / "cxkit.toml").write_text('[exporters.here]\ntype = "local"\npurposes = ["analytics"]\n')
    kid = (
        "import cxkit\nwith cxkit.scope():\n    cxkit.identify(user_id='kid', traits={'minor': True})\n"
        "assert cxkit.flush(timeout_s=30).complete\n"
    )
    subprocess.run([sys.executable, "-c", kid], cwd=tmp_path, env=environment(), check=True, timeout=60)
    text = told(tmp_path, "kid")
    assert text.startswith("recognised: user_id kid\n  the local file has not met them")
    assert "  the store knows them\n" in text
    assert "    user_id kid: linked on " in text
    assert row(text, "necessary") == "needs no choice"
    answer = json.loads(told(tmp_path, "kid", "--json"))
    assert (answer["identifiers"], answer["store"]) == ([], {"recognised": True, "traits": ["minor"]})
    nobody = cxkit("why", "peter", cwd=tmp_path)
    assert (nobody.returncode, nobody.stdout) == (1, "")
    assert nobody.stderr.startswith("CX6105: ")
    assert "the store knows them" in told(tmp_path, "phone:+33 6 12 34 56 78"), "by a contact"
    for path in (tmp_path / ".cxkit").glob("local.db*"):
        path.unlink()
    assert "the store knows them" in told(tmp_path, "nancy"), "with no local file at all"
    assert cxkit("why", "nancy", "--file", "none.db", cwd=tmp_path).stderr.startswith("CX6101: ")


def test_whoever_left_is_said_to_have_left(visited: Path, tmp_path: Path) -> None:
    shutil.copytree(visited / ".cxkit", tmp_path / ".cxkit")
    assert re.search(r"^  erased on \d{4}-\d\d-\d\d [\d:]{8}$", erased(tmp_path), re.MULTILINE)
    assert json.loads(told(tmp_path, "nancy", "--json"))["erased_at"]
    french = cxkit("why", "nancy", cwd=tmp_path, LANGUAGE="fr").stdout
    assert re.search(r"^  effacé le \d{4}", french, re.MULTILINE)


def test_a_card_that_the_application_linked_is_said_to_be_linked(tmp_path: Path) -> None:
    linked = (
        "import cxkit\nwith cxkit.scope(visitor='tablet', evidence='cookie'):\n"
        "    cxkit.grant('analytics', 'identity_stitching', 'personalization')\n    cxkit.link(loyalty='L-8')\n"
        "assert cxkit.flush(timeout_s=30).complete\n"
    )
    clean = {name: value for name, value in environment().items() if not name.startswith("CXKIT_")}
    development = {**clean, "CXKIT_DEVELOPMENT": "true"}
    subprocess.run([sys.executable, "-c", linked], cwd=tmp_path, env=development, check=True, timeout=60)
    text = cxkit("why", "visitor:tablet", cwd=tmp_path, CXKIT_DEVELOPMENT="true").stdout
    assert re.search(r"  loyalty L-8 \(only claimed\): linked by the application\n", text), text
    assert "nobody has signed in with it" not in text


def test_whoever_may_not_come_back_is_said_to_be_barred(visited: Path, tmp_path: Path) -> None:
    shutil.copytree(visited / ".cxkit", tmp_path / ".cxkit")
    assert "barred" not in told(tmp_path, "nancy")
    assert "barred" not in erased(tmp_path)
    assert json.loads(told(tmp_path, "nancy", "--json"))["barred"] is None
    assert "  barred until 2130-01-01 00:00:00: no login" in erased(tmp_path, "--suppress", "--until", "2130-01-01")
    assert json.loads(told(tmp_path, "nancy", "--json"))["barred"] == {"until": "2130-01-01T00:00:00Z"}
    assert "  barred: no login of theirs is recognised\n" in erased(tmp_path, "--suppress")
    assert re.search(r"^  bloqué\s?: ", cxkit("why", "nancy", cwd=tmp_path, LANGUAGE="fr").stdout, re.MULTILINE)


def developed(folder: Path, script: str) -> None:
    clean = {name: value for name, value in environment().items() if not name.startswith("CXKIT_")}
    env = {**clean, "CXKIT_DEVELOPMENT": "true"}
    subprocess.run([sys.executable, "-c", script], cwd=folder, env=env, check=True, timeout=60)


def test_a_device_of_several_is_said_to_be_one(tmp_path: Path) -> None:
    used = (
        "import cxkit\nSEEN = cxkit.touchpoint('x.seen')\nfor who in 'nancy', 'otto', None:\n"
        "    with cxkit.scope(visitor='tablet', evidence='cookie'):\n"
        "        cxkit.grant('analytics', 'identity_stitching')\n"
        "        if who: cxkit.identify(user_id=who)\n        SEEN.capture()\n"
        "    assert cxkit.flush(timeout_s=30).complete\n"
    )
    developed(tmp_path, used)
    text = cxkit("why", "visitor:tablet", cwd=tmp_path, CXKIT_DEVELOPMENT="true").stdout
    assert "known by a device alone that several people use: it may be anybody of them" in text
    assert "nobody was identified" not in text


def test_who_was_merged_is_called_as_above(tmp_path: Path) -> None:
    merged = (
        "import cxkit\nwith cxkit.scope(user_id='nancy', evidence='login'):\n    cxkit.identify()\n"
        "cxkit.flush(timeout_s=30)\n"
        "with cxkit.scope(visitor='K1l07Y5J-and-more', evidence='cookie'):\n"
        "    cxkit.grant('analytics', 'identity_stitching', 'personalization')\n    cxkit.link(loyalty='L-8')\n"
        "    cxkit.flush(timeout_s=30)\n    cxkit.identify(user_id='nancy')\n"
        "assert cxkit.flush(timeout_s=30).complete\n"
    )
    developed(tmp_path, merged)
    text = cxkit("why", "nancy", cwd=tmp_path, CXKIT_DEVELOPMENT="true").stdout
    assert re.search(r"absorbed person \S+: .*visitor K1l07Y5J", text), text


def test_what_somebody_was_asked_is_told_with_what_became_of_it(tmp_path: Path) -> None:
    asked = (
        "import cxkit\nform = cxkit.experience('ask.form', questions=[cxkit.Question(name='diet')])\n"
        "with cxkit.scope(user_id='nancy', evidence='login'):\n    cxkit.grant('analytics', 'personalization')\n"
        "    form.show()\n    cxkit.skip('diet')\n"
        "assert cxkit.flush(timeout_s=30).complete\n"
    )
    clean = {name: value for name, value in environment().items() if not name.startswith("CXKIT_")}
    development = {**clean, "CXKIT_DEVELOPMENT": "true"}
    subprocess.run([sys.executable, "-c", asked], cwd=tmp_path, env=development, check=True, timeout=60)
    text = cxkit("why", "nancy", cwd=tmp_path, CXKIT_DEVELOPMENT="true").stdout
    assert re.search(r"\nquestions: 1 in all\n  .+  diet: skipped\n  .+  diet: asked\n$", text), text
    told = json.loads(cxkit("why", "nancy", "--json", cwd=tmp_path, CXKIT_DEVELOPMENT="true").stdout)
    assert [(one["question"], one["act"]) for one in told["questions"]] == [("diet", "skipped"), ("diet", "asked")]
    text = cxkit("privacy", "disclose", "nancy", cwd=tmp_path, CXKIT_DEVELOPMENT="true").stdout
    assert re.search(r"\nwhat you were asked\n  .+  diet: asked\n  .+  diet: you skipped it\n", text), text
