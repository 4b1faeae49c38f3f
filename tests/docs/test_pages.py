"""Nothing the pages point at is missing: no link, no name, no setting; and what is not run is counted."""

from __future__ import annotations

import importlib
import re
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cxkit
from cxkit import roles
from cxkit.settings import load

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
ENVIRONMENT = re.compile(r"\$\{(\w+)\}")
HOLDERS = {
    "Kit": cxkit.Kit,
    "Touchpoint": cxkit.Touchpoint,
    "Experience": cxkit.Experience,
    "Journey": cxkit.Journey,
    "Outcome": roles.Outcome,
}

NOT_RUN = {
    "CONTRIBUTING.md": 4,  # sets up a checkout; .ci/run does it
    "README.md": 6,  # installs, and runs the demo and all tests; .ci/run does it
    "docs/how-to/know-where-customers-are.md": 1,  # installs
    "docs/how-to/open-the-local-file.md": 2,  # other people's programs, one of which downloads a part of itself
    "docs/tutorial/first-five-minutes.md": 2,  # installs; the tests run in an environment that has it all
    "docs/tutorial/shop.fr.md": 3,  # likewise
    "docs/tutorial/shop.md": 3,  # likewise
    "docs/how-to/send-to-nats.md": 2,  # installs; needs a server, the plugin's tests run it on one
    "docs/how-to/send-to-opentelemetry.md": 2,  # installs, and sets what the Python block after it sets
    "docs/how-to/send-to-segment-or-rudderstack.md": 2,  # likewise
    "docs/how-to/send-e-mail.md": 1,  # installs
    "docs/how-to/share-state-in-postgresql.md": 1,  # needs a server, the plugin's tests run it on one
    "docs/how-to/share-state-in-redis.md": 1,  # likewise
    "docs/how-to/write-an-exporter.md": 1,  # installs
    "plugins/cxkit-acquisition/README.md": 1,  # installs
    "docs/how-to/know-where-customers-come-from.md": 1,  # likewise
    "docs/how-to/know-the-device.md": 1,  # installs
    "plugins/cxkit-device/README.md": 1,  # likewise
    "plugins/cxkit-celery/README.md": 1,  # likewise
    "docs/how-to/use-with-celery.md": 1,  # likewise
    "docs/how-to/use-openfeature.md": 1,  # installs
    "plugins/cxkit-openfeature/README.md": 1,  # likewise
    "plugins/cxkit-nats/README.md": 1,  # installs
    "plugins/cxkit-segment/README.md": 1,  # likewise
    "plugins/cxkit-flask/README.md": 1,  # likewise
    "plugins/cxkit-email/README.md": 1,  # likewise
    "plugins/cxkit-geo/README.md": 1,  # likewise
    "plugins/cxkit-otel/README.md": 1,  # likewise
    "plugins/cxkit-starlette/README.md": 1,  # likewise
    "plugins/cxkit-django/README.md": 1,  # likewise
}
"""Commands in ``console`` blocks that no test types. There is no Python block that is not run."""
NO_PYTHON = {"cxkit.toml", "cxkit.loss_report"}
"""A file, and a touchpoint."""


def test_every_link_leads_somewhere(page: Any, pages: dict[str, Any]) -> None:
    broken = []
    for target in LINK.findall(page.prose):
        path, _, anchor = target.partition("#")
        if "://" in path:
            continue
        there = (page.path.parent / path).resolve() if path else page.path
        linked = next((one for one in pages.values() if one.path == there), None)
        if not there.exists() or (anchor and (linked is None or anchor not in linked.anchors)):
            broken.append(target)
    assert broken == []


def test_every_name_exists(page: Any) -> None:
    missing = [name for name in names_in(page.prose) if not exists(name)]
    assert missing == []


def names_in(text: str) -> Iterator[str]:
    """Dotted names of Python in backticks, less what is called with."""
    for code in CODE.findall(text):
        name = re.match(r"(?:cxkit|Kit|Touchpoint|Experience|Outcome)(?:\.[A-Za-z_]+)+", code)
        if name and name[0] not in NO_PYTHON:
            yield name[0]


def exists(name: str) -> bool:
    first, *rest = name.split(".")
    found: Any = HOLDERS.get(first, cxkit)
    for place, part in enumerate(rest):
        module = ".".join([first, *rest[: place + 1]])
        if not hasattr(found, part) and first == "cxkit" and find_spec(module):
            importlib.import_module(module)
        if not hasattr(found, part):
            return part in getattr(found, "__annotations__", {})
        found = getattr(found, part)
    return True


def test_a_name_that_does_not_exist_is_found() -> None:
    text = "`cxkit.toml` `cxkit.capture_all()` `cxkit.testing.receiver` `Kit.tables` `Kit.track(1)`"
    assert [name for name in names_in(text) if not exists(name)] == ["cxkit.capture_all", "Kit.tables", "Kit.track"]


def test_every_setting_exists(page: Any, pages: dict[str, Any]) -> None:
    settings = {one.strip("`") for one in pages["docs/reference/settings.md"].headings}
    captured = set(pages["docs/reference/interaction.md"].column(0, under="Interactions that cxkit captures itself"))
    rooms = {one.partition(".")[0] for one in settings if "." in one}
    named = {code for code in CODE.findall(page.prose) if re.fullmatch(r"[a-z]+(\.[A-Za-z_]+)+(?<!\.json)", code)}
    followed = set(pages["docs/reference/api.md"].column(0, under="`cxkit.Variant`"))
    unknown = {one for one in named if one.partition(".")[0] in rooms} - settings - captured - followed
    assert unknown == set()


def test_every_code_is_documented(page: Any, pages: dict[str, Any]) -> None:
    assert set(re.findall(r"CX\d{4}", page.text)) <= set(re.findall(r"CX\d{4}", pages["docs/reference/errors.md"].text))


def test_every_configuration_is_accepted(page: Any, tmp_path: Path) -> None:
    for block in page.blocks:
        if block.language == "toml" and "project" not in tomllib.loads(block.text):
            file = tmp_path / "cxkit.toml"
            file.write_text(block.text, "utf-8")
            load(file=file, environ=dict.fromkeys(ENVIRONMENT.findall(block.text), "x" * 32))


def test_what_is_not_run_is_counted(pages: dict[str, Any]) -> None:
    found = {
        name: sum(len(block.left_out) + bool(block.untested) for block in page.blocks) for name, page in pages.items()
    }
    assert {name: count for name, count in found.items() if count} == NOT_RUN


def test_a_translation_has_the_blocks_of_the_page_it_translates(pages: dict[str, Any]) -> None:
    translations = [page for page in pages.values() if page.language != "en"]

    assert translations
    for page in translations:
        original = pages[page.name.replace(f".{page.language}.md", ".md")]
        assert [skeleton(block) for block in page.blocks] == [skeleton(block) for block in original.blocks], page.name


def skeleton(block: Any) -> tuple[object, ...]:
    """What of a block may not differ between languages: all of it but texts, comments and what is printed."""
    shown = block.text if block.language != "console" else "\n".join(command for command, _ in block.commands)
    typed = [line for line in shown.splitlines() if ">>> " not in shown or line.startswith((">>> ", "... "))]
    bare = [re.sub(r"""f?"[^"]*"|f?'[^']*'|#.*""", "", line) for line in typed]
    return block.language, block.file, block.stays, "Ctrl-C" in block.lead, bare


def test_there_is_no_other_kind_of_block(page: Any) -> None:
    assert {block.language for block in page.blocks} <= {"python", "console", "toml", "json", "", "{toctree}"}


def test_the_index_leads_to_every_page(pages: dict[str, Any]) -> None:
    listed = re.findall(r"^[\w-]+/[\w.-]+$", pages["docs/index.md"].text, re.MULTILINE)
    assert sorted(f"docs/{one}.md" for one in listed) == sorted(
        name for name in pages if name.startswith("docs/") and name != "docs/index.md"
    )
