from __future__ import annotations

import os
import pty
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxkit.cli.init.apps import apps_of, find
from cxkit.cli.init.instrument import instrumented
from cxkit.cli.init.syntax import read
from tests.cli.terminal import command, cxkit, environment

APP = """\
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route


async def home(request):
    return PlainTextResponse("Almonds, honey, time.")


app = Starlette(routes=[Route("/", home)])
"""

RUN = """
import sys
from starlette.testclient import TestClient
from cxkit.testing import recorder
sys.path.insert(0, ".")
with recorder() as record:
    from app import {make}
    assert TestClient(app).get("/").status_code in (200, 404)
    print([one.name for one in record.interactions])
"""


def changed(text: str | bytes, name: str = "app.py", root: Path | None = None) -> bytes:
    """The file after `instrumented`."""
    root = root or Path.cwd()
    (root / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    (app,) = find(root).apps
    after = instrumented(app)
    assert after is not None
    return after


def test_the_line_is_added_where_it_belongs_and_nothing_else_is_touched(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    done = cxkit("init", "--yes")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "app.py").read_text() == (
        "from cxkit_starlette import CXMiddleware\n" + APP + "app.add_middleware(CXMiddleware)\n"
    )
    assert "+app.add_middleware(CXMiddleware)" in done.stdout
    assert "cxkit dev -- uvicorn app:app" in done.stdout
    assert (tmp_path / ".gitignore").read_text() == ".cxkit/\n"
    assert "service" in (tmp_path / "cxkit.toml").read_text()
    assert sorted(one.name for one in tmp_path.iterdir()) == [".gitignore", "app.py", "cxkit.toml"]


def test_the_second_time_there_is_nothing_to_do(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    assert cxkit("init", "--yes").returncode == 0
    before = {one: one.read_bytes() for one in tmp_path.iterdir()}
    again = cxkit("init", "--yes")
    assert (again.returncode, again.stdout) == (0, "app.py:app has the middleware already: nothing to do\n")
    assert {one: one.read_bytes() for one in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("text", "make"),
    [
        (APP, "app"),
        ("from fastapi import FastAPI\n\napp = FastAPI()\n", "app"),
        ("import fastapi\n\napp: fastapi.FastAPI = fastapi.FastAPI()", "app"),
        (
            "from starlette.applications import Starlette as S\n\n\ndef make():\n    it = S()\n    return it\n",
            "make; app = make()",
        ),
        (
            "def make():\n\tfrom fastapi import FastAPI\n\tit = FastAPI(\n\t\ttitle='x',\n\t)\n\treturn it\n",
            "make; app = make()",
        ),
        ("if True:\n    from starlette.applications import Starlette\n\n    app = Starlette()\n", "app"),
        (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from starlette.applications import Starlette\n"
            "else:\n    from starlette.applications import Starlette\napp = Starlette()\n",
            "app",
        ),
        ("try:\n    import fastapi\nexcept ImportError:\n    raise\napp = fastapi.FastAPI()  # ours\n", "app"),
        (
            "import fastapi, cxkit_starlette\nfrom cxkit_starlette import CXMiddleware as M\napp = fastapi.FastAPI()\n",
            "app",
        ),
    ],
)
def test_what_comes_out_is_an_application_that_is_seen(text: str, make: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_bytes(changed(text))
    ran = subprocess.run(
        [sys.executable, "-c", RUN.format(make=make)], capture_output=True, text=True, env=environment(), check=False
    )
    assert ran.stdout == "['page.viewed']\n", ran.stderr


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_file_keeps_its_line_ends(end: str) -> None:
    after = changed(APP.replace("\n", end))
    assert after.decode().replace(end, "\n").count("\n") == after.decode().count(end) == APP.count("\n") + 2
    assert set(after.decode()) & {"\r", "\n"} == set(end)


def test_the_file_keeps_its_encoding_its_mark_and_its_comments() -> None:
    latin = "# -*- coding: latin-1 -*-\n# Créé à Aix\n".encode("latin-1") + APP.encode()
    assert changed(latin).startswith("# -*- coding: latin-1 -*-\n# Créé à Aix\nfrom cxkit".encode("latin-1"))
    marked = "\ufeff# Créé\n".encode() + APP.encode()
    assert changed(marked).startswith("\ufeff# Créé\nfrom cxkit".encode())


def test_it_becomes_the_outermost_of_the_middleware() -> None:
    text = APP + "app.add_middleware(GZip)\napp.mount('/x', y)\n"
    assert (
        changed(text)
        .decode()
        .endswith("app.add_middleware(GZip)\napp.add_middleware(CXMiddleware)\napp.mount('/x', y)\n")
    )
    text = APP + "\n\n@app.middleware('http')\nasync def add(request, then):\n    return await then(request)\n"
    assert changed(text).decode().endswith("    return await then(request)\n\napp.add_middleware(CXMiddleware)\n")


BEFORE = ("# né\n", "\n", "x = 1\n", "import os\n", "from a import b\n", "\x0c\n", "s = '\u2028'\n", '"""t\r\n"""\n')
AFTER = ("# né\n", "y = '\x0b'\n", "app.add_middleware(G)\n", "app = wrap(app)\n", "app.x()\n", "print(app); z = 1\n")


@given(before=st.lists(st.sampled_from(BEFORE)), after=st.lists(st.sampled_from(AFTER)), cut=st.booleans())
def test_all_that_was_there_is_still_there(before: list[str], after: list[str], cut: bool) -> None:
    text = "".join([*before, APP, *after]).removesuffix("\n" if cut else " ")
    Path("app.py").write_bytes(text.encode())
    source = read(Path("app.py"), root=Path())
    assert source is not None
    (app,) = apps_of(source)
    done = instrumented(app)
    assert done is not None
    left = done.decode().split("from cxkit_starlette import CXMiddleware\n")
    middle = left[1].split("app.add_middleware(CXMiddleware)")
    assert len(left) == len(middle) == 2
    assert left[0] + middle[0] + middle[1].removeprefix("\n") == text + ("\n" if cut and not middle[1] else "")


@pytest.mark.parametrize(
    "text",
    [
        "from starlette.applications import Starlette\nif x: app = Starlette()\n",
        "import os; from starlette.applications import Starlette\napp = Starlette()\n",
    ],
)
def test_where_it_could_go_wrong_it_is_left_to_a_person(text: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(text)
    done = cxkit("init", "--yes")
    assert done.returncode == 1
    assert "add app.add_middleware(CXMiddleware) below it by hand" in done.stderr
    assert [one.name for one in tmp_path.iterdir()] == ["app.py"]


def test_without_a_keyboard_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    done = cxkit("init")
    assert done.returncode == 1
    assert "+app.add_middleware(CXMiddleware)" in done.stdout
    assert "nothing was done" in done.stderr
    assert [one.name for one in tmp_path.iterdir()] == ["app.py"]
    assert (tmp_path / "app.py").read_text() == APP


@pytest.mark.parametrize(("answer", "written"), [("y", True), ("n", False)])
def test_at_a_keyboard_it_asks(answer: str, written: bool, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    keyboard, terminal = pty.openpty()
    try:
        os.write(keyboard, f"{answer}\n".encode())
        done = subprocess.run(
            command("init"), stdin=terminal, capture_output=True, text=True, env=environment(), check=False
        )
    finally:
        os.close(keyboard)
        os.close(terminal)
    assert "write this?" in done.stdout
    assert done.returncode == (0 if written else 1)
    assert ("CXMiddleware" in (tmp_path / "app.py").read_text()) is written


def test_of_several_applications_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "main.py").write_text(
        "from fastapi import FastAPI\n\n\ndef create():\n    api = FastAPI()\n    return api\n"
    )
    asked = cxkit("init", "--yes")
    assert asked.returncode == 1
    assert "app.py:app" in asked.stdout
    assert "shop/main.py:create" in asked.stdout
    assert "--app FILE:NAME" in asked.stderr
    done = cxkit("init", "--yes", "--app", "shop/main.py:create")
    assert done.returncode == 0, done.stderr
    assert "cxkit dev -- uvicorn shop.main:create --factory" in done.stdout
    assert "    api.add_middleware(CXMiddleware)\n    return api\n" in (tmp_path / "shop" / "main.py").read_text()
    assert (tmp_path / "app.py").read_text() == APP


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("app.py:nothing", "in this file: app.py:app"),
        ("none.py:app", "none.py cannot be read: No such file"),
        (".:app", "cannot be read: it is not a regular file"),
        ("broken.py:app", "line 1:"),
        ("\x1b[31m.py:app", "\\x1b[31m.py cannot be read"),
    ],
)
def test_a_name_that_is_none(wanted: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "broken.py").write_text("def (")
    done = cxkit("init", "--app", wanted)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "no application was found"),
        ({".venv/app.py": APP, "env/pyvenv.cfg": "", "env/app.py": APP, "node_modules/app.py": APP}, "no application"),
        ({"tests/app.py": APP, "test_app.py": APP, "used.py": "# Starlette(\n"}, "no application"),
        ({"local.py": APP.replace("\napp = ", "\n\ndef once():\n    app = ")}, "no application"),
    ],
)  # fmt: skip
def test_where_there_is_none(files: dict[str, str], said: str, tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    done = cxkit("init", "--yes")
    assert done.returncode == 1
    assert said in done.stderr
    assert {str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*") if one.is_file()} == set(files)


def test_what_is_not_python_is_named_and_passed_over(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "two.py").write_text("print 'Starlette'\n")
    (tmp_path / "bytes.py").write_bytes(b"# Starlette \xff\n")
    (tmp_path / "nul\x1b.py").write_bytes(b"# Starlette \0\n")
    (tmp_path / "deep.py").write_text("# Starlette\n" + "(" * 5000 + ")" * 5000)
    (tmp_path / "large.py").write_text("# Starlette\n" * 100_000)
    os.mkfifo(tmp_path / "pipe.py")
    done = cxkit("init", "--yes")
    assert done.returncode == 0, done.stderr
    skipped = [line.split(":")[0] for line in done.stderr.splitlines()]
    assert skipped == [f"skipped {one}.py" for one in ("bytes", "deep", "large", "nul\\x1b", "pipe", "two")]
    assert "line 1: " in done.stderr.splitlines()[-1]


FLASK = "from flask import Flask\n\napp = Flask(__name__)\napp.secret_key = 'x'\n"
FLASK_RUN = """
import sys
from cxkit.testing import recorder
sys.path.insert(0, ".")
with recorder() as record:
    from {module} import {make}
    assert app.test_client().get("/").status_code == 404
    print([one.name for one in record.interactions])
"""


@pytest.mark.parametrize(
    ("file", "text", "make", "run"),
    [
        ("app.py", FLASK, "app", "app:app"),
        ("shop/__init__.py", "import os\n\nimport flask\n\napp = flask.Flask(__name__)\n", "app", "shop:app"),
        (
            "shop/web.py",
            "def create():\n    from flask import Flask\n    it = Flask(__name__)\n    return it\n",
            "create; app = create()",
            "shop.web:create",
        ),
    ],
)
def test_an_app_of_flask_gets_its_line_where_it_is_made(
    file: str, text: str, make: str, run: str, tmp_path: Path
) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text)
    done = cxkit("init", "--yes")
    assert done.returncode == 0, done.stderr
    assert f"cxkit dev -- flask --app {run} run" in done.stdout
    assert (tmp_path / "cxkit.toml").exists()
    assert (tmp_path / ".gitignore").exists()
    ran = subprocess.run(
        [sys.executable, "-c", FLASK_RUN.format(module=run.partition(":")[0], make=make)],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert ran.stdout == "['page.viewed']\n", ran.stderr
    assert "nothing to do" in cxkit("init", "--yes").stdout


def test_the_line_of_flask_stands_right_below_its_app(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(FLASK)
    assert cxkit("init", "--yes").returncode == 0
    made = "app = Flask(__name__)\n"
    assert (tmp_path / "app.py").read_text() == "from cxkit_flask import CXFlask\n" + FLASK.replace(
        made, made + "CXFlask(app)\n"
    )


@pytest.mark.parametrize(
    "files",
    [
        {"app.py": FLASK + "from cxkit_flask import CXFlask\ncx = CXFlask(app)\n"},
        {"app.py": FLASK + "import cxkit_flask\ncx = cxkit_flask.CXFlask()\ncx.init_app(app)\n"},
        {
            "extensions.py": "from cxkit_flask import CXFlask\n\ncx = CXFlask()\n",
            "app.py": "from .extensions import cx\n" + FLASK + "cx.init_app(app)\n",
        },
        {"app.py": FLASK, "run.py": "from app import app\nfrom cxkit_flask import CXFlask\n\nCXFlask(app)\n"},
    ],
)
def test_it_is_seen_however_it_is_given_to_flask(files: dict[str, str], tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert cxkit("init", "--yes").stdout == "app.py:app has the middleware already: nothing to do\n"


def test_another_extension_of_flask_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(FLASK + "from flask_login import LoginManager\nLoginManager().init_app(app)\n")
    assert "+CXFlask(app)" in cxkit("init", "--yes").stdout


MANAGE = """\
import os


def main():
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
    from django.core.management import execute_from_command_line
"""


def test_of_django_it_says_which_line_goes_where_and_writes_the_rest(tmp_path: Path) -> None:
    (tmp_path / "mysite").mkdir()
    (tmp_path / "manage.py").write_text(MANAGE)
    (tmp_path / "mysite" / "settings.py").write_text("MIDDLEWARE = []\n")
    done = cxkit("init", "--yes")
    assert done.returncode == 0, done.stderr
    assert (
        'add to mysite/settings.py, as the first of MIDDLEWARE:  "cxkit_django.CXMiddleware",\n'
        'and to INSTALLED_APPS:  "cxkit_django",\n'
    ) in done.stdout
    assert "cxkit dev -- python manage.py runserver" in done.stdout
    assert (tmp_path / "cxkit.toml").exists()
    assert (tmp_path / ".gitignore").exists()
    assert (tmp_path / "mysite" / "settings.py").read_text() == "MIDDLEWARE = []\n"
    again = cxkit("init")  # nothing is left to write, so nobody is asked
    assert (again.returncode, "CXMiddleware" in again.stdout, "written" in again.stdout) == (0, True, False)
    (tmp_path / "mysite" / "settings.py").write_text('MIDDLEWARE = ["cxkit_django.CXMiddleware"]\n')
    assert cxkit("init").stdout == "mysite/settings.py has the middleware already: nothing to do\n"


IMPORT = "from cxkit_starlette import CXMiddleware\n"


@pytest.mark.parametrize(
    "text",
    [
        IMPORT + APP.replace('Route("/", home)]', "], middleware=[Middleware(CXMiddleware)]"),
        "import cxkit_starlette\n" + APP + "app.add_middleware(cxkit_starlette.CXMiddleware, kit=None)\n",
        IMPORT + APP.replace('Starlette(routes=[Route("/", home)])', "CXMiddleware(Starlette())"),
        APP + f"\n\ndef ready():\n    {IMPORT}    app.add_middleware(CXMiddleware)\n",
    ],
)
def test_it_is_seen_however_it_is_written(text: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(text)
    done = cxkit("init", "--yes")
    assert (done.returncode, done.stdout) == (0, "app.py:app has the middleware already: nothing to do\n")


def test_it_is_seen_where_another_file_adds_it(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "main.py").write_text(
        "from app import app\nfrom cxkit_starlette import CXMiddleware\n\napp.add_middleware(CXMiddleware)\n"
    )
    assert "nothing to do" in cxkit("init", "--yes").stdout


def test_what_is_configured_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "pyproject.toml").write_text('[tool.cxkit]\nservice = "shop"\n')
    (tmp_path / ".gitignore").write_bytes(b"*.pyc\r\n/dist")
    assert cxkit("init", "--yes").returncode == 0
    assert not (tmp_path / "cxkit.toml").exists()
    assert (tmp_path / ".gitignore").read_bytes() == b"*.pyc\r\n/dist\r\n.cxkit/\r\n"
    (tmp_path / "app.py").write_text(APP)
    assert ".gitignore" not in cxkit("init", "--yes").stdout


def test_a_link_stays_one_and_a_file_keeps_its_rights(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "shop.txt").write_text(APP)
    (tmp_path / "real" / "shop.txt").chmod(0o640)
    (tmp_path / "app.py").symlink_to("real/shop.txt")
    assert cxkit("init", "--yes").returncode == 0
    assert (tmp_path / "app.py").is_symlink()
    assert "CXMiddleware" in (tmp_path / "real" / "shop.txt").read_text()
    assert stat.S_IMODE((tmp_path / "real" / "shop.txt").stat().st_mode) == 0o640


def test_where_one_file_cannot_be_written_none_is(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / ".gitignore").symlink_to("/proc/cxkit/none")  # nobody may write there, not even root
    done = cxkit("init", "--yes")
    assert done.returncode == 1
    assert ".gitignore cannot be written" in done.stderr
    assert (tmp_path / "app.py").read_text() == APP
    assert sorted(one.name for one in tmp_path.iterdir()) == [".gitignore", "app.py"]


def test_without_the_plugin_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    core = str(Path(sys.modules["cxkit"].__file__ or "").parents[1])
    hidden = "import sys\nsys.modules['cxkit_starlette'] = None\n"
    (tmp_path / "hide").mkdir()
    (tmp_path / "hide" / "sitecustomize.py").write_text(hidden)
    done = cxkit("init", PYTHONPATH=os.pathsep.join([str(tmp_path / "hide"), core]))
    assert "python -m pip install cxkit-starlette" in done.stdout
