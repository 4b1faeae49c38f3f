"""What makes things: the demo, the pages, the figures, the release. What judges is tox.ini.

Every session sets up its own environment, so ``python -m pip install nox`` is all one needs first.
"""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nox

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["demo"]

HERE = Path(__file__).parent
PYPROJECT = nox.project.load_toml(HERE / "pyproject.toml")
PROJECTS = [HERE, *sorted(path.parent for path in HERE.glob("plugins/*/pyproject.toml"))]


def install_checkout(session: nox.Session, group: str) -> None:
    """Install this checkout, plugins included, and one of its dependency groups."""
    editable = [f"--editable={project}" for project in PROJECTS]
    session.install(*editable, *nox.project.dependency_groups(PYPROJECT, group))


@nox.session
def demo(session: nox.Session) -> None:
    """Run Candy Haven: its own servers on this machine, customers, and what they experienced."""
    install_checkout(session, "demo")
    # Ctrl-C ends the demo, not its servers: it needs a moment to do that itself.
    command = ("python", "-m", "examples.candy_haven.demo", *session.posargs)
    session.run(*command, interrupt_timeout=10, terminate_timeout=10)


@nox.session
def translations(session: nox.Session) -> None:
    """Bring the French of the command line up to date, and compile it; fails if a text is without."""
    install_checkout(session, "test")
    session.run("python", "-m", "tests.cli.texts", *session.posargs)


@nox.session
def beacon(session: nox.Session) -> None:
    """Make what is served of the beacon, cx.min.js, of its source, cx.js."""
    session.install(*nox.project.dependency_groups(PYPROJECT, "beacon"))
    session.run("python", "-m", "tests.web.minified", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the pages into site/; a warning is an error."""
    install_checkout(session, "docs")
    session.run("sphinx-build", "--fail-on-warning", "--nitpicky", "docs", "site", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure against the yardsticks and print the ratios."""
    install_checkout(session, "bench")
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Run the fault list whole (a million interactions, 2 GB uploads, a soak) and print the figures: half an hour."""
    install_checkout(session, "services")
    figures = Path(session.create_tmp()).absolute() / "figures.jsonl"
    figures.unlink(missing_ok=True)
    env = {"CXKIT_FAULTS": "full", "CXKIT_FIGURES": str(figures)}
    soak = "tests/faults/test_soak.py"
    plugins = [f"plugins/cxkit-{name}/tests/test_conformance.py" for name in ("django", "flask", "starlette")]
    web = ("tests/web/test_asgi.py", "tests/web/test_bare_wsgi.py", *plugins)
    places = ("tests/faults", "tests/delivery", "tests/transport", "tests/hosts", *web)
    rest = ("--timeout=1800", f"--ignore={soak}", *places)
    runs = [session.posargs] if session.posargs else [("--timeout=3600", soak), rest]
    try:  # the soak is half an hour of waiting, beside the rest; -s: a long test says how far it has come
        with ThreadPoolExecutor() as pool:
            for run in [pool.submit(session.run, "pytest", "-v", "-s", *places, env=env) for places in runs]:
                run.result()
    finally:
        session.run("python", "-m", "tests.faults.figures", str(figures))


@nox.session
def release(session: nox.Session) -> None:
    """Build every source distribution and wheel into dist/. Uploading them is left to a person."""
    session.install("build", "twine")
    dist = HERE / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    for project in PROJECTS:
        session.run("python", "-m", "build", "--outdir", str(dist), str(project))
    session.run("twine", "check", "--strict", *sorted(str(path) for path in dist.iterdir()))
