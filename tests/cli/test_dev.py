from __future__ import annotations

import fcntl
import os
import re
import signal
import sqlite3
import subprocess
import sys
import termios
from functools import partial
from pathlib import Path

import httpx
import pytest

from cxkit.cli.dev.silence import Signs, why
from cxkit.cli.init.apps import find
from cxkit.delivery.account import ExporterAccount
from cxkit.settings import Settings
from cxkit.testing.ports import free_port
from tests.cli.terminal import Running, command, cxkit, environment, heed_the_keyboard

APP = """\
import cxkit
from cxkit_starlette import CXMiddleware
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route


async def home(request):
    return PlainTextResponse("Almonds, honey, time.")


async def accept(request):
    cxkit.grant("analytics", "identity_stitching")
    return PlainTextResponse("Thank you.")


async def login(request):
    cxkit.identify(user_id="nancy\\x1b[31m")
    return PlainTextResponse("Good morning, Nancy.")


app = Starlette(routes=[Route("/", home), Route("/accept", accept), Route("/login", login)])
app.add_middleware(CXMiddleware)
"""
BARE = APP.replace("app.add_middleware(CXMiddleware)\n", "")

HURRIED = """
import signal, sys, threading
import cxkit.cli.dev as dev
from cxkit.cli import main

dev.WITHIN_S, dev.GRACE_S = float("inf"), 1.0

def wait():
    with open("now"):  # until somebody writes there
        dev.WITHIN_S = 0.0

mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # they are not for this thread
threading.Thread(target=wait, daemon=True).start()
signal.pthread_sigmask(signal.SIG_SETMASK, mask)
sys.argv[0] = "cxkit"
main()
"""


def hurried(*arguments: str) -> list[str]:
    """``cxkit dev`` whose patience ends when `enough` is called."""
    os.mkfifo("now")
    return [sys.executable, "-c", HURRIED, "dev", "--", *arguments]


def enough() -> None:
    Path("now").write_text("")


def uvicorn(port: int, *more: str, app: str = "app:app") -> list[str]:
    return ["uvicorn", app, "--port", str(port), *more]


UP = "Uvicorn running on"


# --- what it shows --------------------------------------------------------------------------------


def test_a_visit_is_seen_as_it_happens(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    port = free_port()
    with Running(command("dev", "--", *uvicorn(port))) as dev:
        dev.until(UP)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"accept-language": "fr"}) as browser:
            assert browser.get("/").text == "Almonds, honey, time."
            line = dev.until("page.viewed")
            browser.get("/accept")
            dev.until("consent.changed")
            browser.get("/login")
            dev.until("identity.identified")
        dev.press(signal.SIGTERM)
        assert dev.ended() == 128 + signal.SIGTERM
    assert re.fullmatch(r"\d\d:\d\d:\d\d  web +page\.viewed +nobody +- +/  fr", line)
    header = dev.printed.splitlines()[:3]
    assert header[0] == "cxkit | local file  .cxkit/local.db"
    assert header[1] == "cxkit | exporters   development (local)"
    assert header[2] == "cxkit | policy      strict/1: before a choice visits name nobody"
    assert "analytics granted  identity_stitching granted" in dev.printed
    assert "user_id nancy\\x1b[31m + visitor " in dev.printed
    assert "\x1b" not in dev.printed
    assert "cxkit | 5 interactions in this run" in dev.printed
    assert "see one journey:  cxkit journey 'nancy\\x1b[31m'" in dev.printed
    assert "Finished server process" in dev.printed  # it was not killed
    assert "nothing has arrived" not in dev.printed


def test_what_init_writes_is_seen(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "main.py").write_text(
        "import fastapi\n\n\ndef create():\n    api = fastapi.FastAPI()\n\n"
        "    @api.get('/hello/{name}')\n    def hello(name: str) -> str:\n        return name\n\n    return api\n"
    )
    said = cxkit("init", "--yes").stdout
    start = re.search(r"cxkit dev -- (.+)", said)
    assert start
    port = free_port()
    with Running(command("dev", "--", *start[1].split(), "--port", str(port))) as dev:
        dev.until(UP)
        assert httpx.get(f"http://127.0.0.1:{port}/hello/nancy", timeout=60).json() == "nancy"
        assert dev.until("page.viewed").endswith("/hello/{name}")


def test_what_earlier_runs_left_is_not_shown_again(tmp_path: Path) -> None:
    capture = "import cxkit; cxkit.touchpoint('run.{}').capture()"
    for number in ("first", "second"):
        ran = cxkit("dev", "--", "python", "-c", capture.format(number))
        assert (ran.returncode, ran.stdout) == (0, "")
        assert re.findall(r"run\.\w+", ran.stderr) == [f"run.{number}"]
        assert "cxkit | 1 interaction in this run" in ran.stderr


TABLET = """
import sys
import cxkit
shelf = cxkit.touchpoint("shelf.seen")
for who in sys.argv[1:]:
    with cxkit.scope(visitor="7f3a2b1c9d0e4f5a", evidence="cookie"):
        cxkit.grant("analytics", "identity_stitching")
        if who:
            cxkit.identify(user_id=who)
        shelf.capture()
    cxkit.flush(timeout_s=30)  # in this order
"""


def test_the_journey_it_names_is_of_somebody_by_name_or_of_a_device_as_journey_takes_it(tmp_path: Path) -> None:
    def suggested(*who: str) -> str:
        ran = cxkit("dev", "--", "python", "-c", TABLET, *who)
        (line,) = re.findall(r"see one journey:  cxkit journey (.+)", ran.stderr)
        assert cxkit("journey", line).returncode == 0
        return str(line)

    assert suggested("") == "visitor:7f3a2b1c"
    assert suggested("nancy", "otto", "") == "otto"
    assert suggested("") == "visitor:7f3a2b1c"  # contested by now


def test_development_mode_is_for_the_command_alone(tmp_path: Path) -> None:
    show = "import os; print(os.environ['CXKIT_DEVELOPMENT'])"
    assert cxkit("dev", "--", "python", "-c", show).stdout == "true\n"
    assert "CXKIT_DEVELOPMENT" not in os.environ


def test_exporters_that_are_configured_are_named(tmp_path: Path) -> None:
    (tmp_path / "cxkit.toml").write_text(
        '[exporters.here]\ntype = "local"\npath = "there/my.db"\npurposes = ["analytics"]\n'
        '[exporters.out]\ntype = "console"\npurposes = ["analytics"]\n[consent]\nbefore_choice = "drop"\n'
    )
    ran = cxkit("dev", "--", "python", "-c", "")
    assert ran.stderr.splitlines()[:3] == [
        "cxkit | local file  there/my.db",
        "cxkit | exporters   here (local), out (console)",
        "cxkit | policy      strict/1: before a choice nothing is kept",
    ]


def test_what_the_command_prints_and_reads_stays_its_own(tmp_path: Path) -> None:
    script = "import sys; print(sys.stdin.read().upper(), end=''); print('e', file=sys.stderr); sys.exit(7)"
    ran = subprocess.run(
        command("dev", "--", "python", "-c", script),
        input="almonds\n", capture_output=True, text=True, env=environment(), timeout=60, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout) == (7, "ALMONDS\n")
    assert "e" in ran.stderr.splitlines()


# --- how it ends ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["cxkit-none"], 127, "cxkit-none: there is no such command"),
        (["./\x1bnone"], 127, "./\\x1bnone: there is no such command"),
        (["./plain"], 126, "./plain cannot be run: Permission denied"),
        (["."], 126, ". cannot be run: Permission denied"),
        (["./empty"], 126, "./empty cannot be run: Exec format error"),
        (
            ["python", "-c", "raise SystemExit(3)"],
            3,
            "the command has ended with exit code 3, and nothing was captured",
        ),
        (["sh", "-c", "kill -9 $$"], 137, "the command has ended with exit code 137, and nothing was captured"),
    ],
)
def test_a_command_that_cannot_run_is_one_clear_line(words: list[str], code: int, said: str, tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    (tmp_path / "empty").write_text("\0")
    (tmp_path / "empty").chmod(0o700)
    ran = cxkit("dev", "--", *words)
    assert ran.returncode == code
    assert ran.stderr.splitlines()[3:] == [f"cxkit | {said}"]


def test_a_command_is_needed() -> None:
    assert cxkit("dev").returncode == 2
    assert cxkit("dev", "--port", "1").returncode == 2


def test_where_the_settings_are_wrong_nothing_is_started(tmp_path: Path) -> None:
    (tmp_path / "cxkit.toml").write_text("strikt = true\n")
    ran = cxkit("dev", "--", "touch", "started")
    assert ran.returncode == 1
    assert ran.stderr.startswith("CX1001: ")
    assert not (tmp_path / "started").exists()


def test_where_the_directory_cannot_be_written_nothing_is_started(tmp_path: Path) -> None:
    (tmp_path / ".cxkit").write_text("a file")
    ran = cxkit("dev", "--", "touch", "started")
    assert (ran.returncode, ran.stdout) == (1, "")
    (line,) = ran.stderr.splitlines()
    assert line.startswith(f"{tmp_path / '.cxkit'} cannot be written")
    assert "Fix: make it writable for this user, or set directory" in line
    assert not (tmp_path / "started").exists()


def test_where_the_local_file_is_another_program_s_nothing_is_started(tmp_path: Path) -> None:
    (tmp_path / ".cxkit").mkdir()
    (tmp_path / ".cxkit" / "local.db").write_text("almonds " * 1000)
    ran = cxkit("dev", "--", "touch", "started")
    assert ran.returncode == 1
    assert ran.stderr.startswith("CX6102: ")
    assert not (tmp_path / "started").exists()


COUNT = """
import os, signal, sys

heard, told = os.pipe()
os.set_blocking(told, False)
signal.set_wakeup_fd(told)  # a byte for each signal: none is missed
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda *_: None)
print("ready", flush=True)
pressed = 0
while os.read(heard, 1)[0] == signal.SIGINT:
    pressed += 1
    print("pressed", pressed, flush=True)
sys.exit(pressed)
"""


@pytest.mark.parametrize("by", ["keyboard", "program"])
def test_control_c_reaches_the_command_once(by: str, tmp_path: Path) -> None:
    (tmp_path / "count.py").write_text(COUNT)
    keyboard, terminal = os.openpty()

    def take_terminal() -> None:
        heed_the_keyboard()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    dev = subprocess.Popen(
        command("dev", "--", "python", "count.py"),
        stdin=terminal, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment(),
        start_new_session=True, preexec_fn=take_terminal,
    )  # fmt: skip
    try:
        assert dev.stdout is not None
        assert dev.stdout.readline() == "ready\n"
        if by == "keyboard":
            os.write(keyboard, b"\x03")
        else:  # as an editor does it, with a terminal of its own
            dev.send_signal(signal.SIGINT)
        assert dev.stdout.readline() == "pressed 1\n"
        dev.send_signal(signal.SIGTERM)
        assert dev.wait(60) == 1
    finally:
        dev.kill()
        dev.wait()
        os.close(keyboard)
        os.close(terminal)
        if dev.stdout is not None:
            dev.stdout.close()


def test_a_signal_to_it_alone_goes_to_the_command(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    with Running(command("dev", "--", *uvicorn(free_port()))) as dev:
        dev.until(UP)
        dev.press(signal.SIGINT)
        assert dev.ended() in (0, 128 + signal.SIGINT)  # as its version of uvicorn has it
    assert "Finished server process" in dev.printed


def test_a_command_that_does_not_end_is_killed(tmp_path: Path) -> None:
    script = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready'); signal.pause()"
    with Running(hurried("python", "-c", script)) as dev:
        dev.until("ready")
        dev.press(signal.SIGTERM)
        assert dev.ended() == 128 + signal.SIGKILL
    assert "the command does not end: it is killed" in dev.printed


def test_an_application_that_is_loaded_anew_is_seen_again(tmp_path: Path) -> None:
    # Of its own: before Python 3.13 the reloader ends where a directory goes away beside it, as some of ours do.
    code = tmp_path / "shop"
    code.mkdir()
    (code / "app.py").write_text(APP)
    port = free_port()
    patient = httpx.HTTPTransport(retries=8)  # it says that it is up, and listens a moment later
    with (
        Running(command("dev", "--", *uvicorn(port, "--reload", "--reload-dir=shop", "--app-dir=shop"))) as dev,
        httpx.Client(transport=patient, timeout=60) as browser,
    ):
        dev.until("Application startup complete")
        browser.get(f"http://127.0.0.1:{port}/")
        dev.until("page.viewed")
        (code / "app.py").write_text(
            APP.replace("async def accept", "cxkit.touchpoint('app.anew').capture()\n\n\nasync def accept")
        )
        dev.until("app.anew")
        dev.press(signal.SIGTERM)
        dev.ended()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/")


# --- why nothing arrives --------------------------------------------------------------------------

ANSWER = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})
"""


def explained(port: int, visit: str | None, *more: str, ready: str = UP) -> str:
    """What is said of a server when nothing arrives, after a request if there is one."""
    with Running(hurried(*uvicorn(port, *more))) as dev:
        dev.until(ready)
        if visit is not None:
            httpx.get(f"http://127.0.0.1:{port}{visit}", timeout=60)
        enough()
        said = dev.until("nothing has arrived: ") + " " + dev.until("to do: ")
        dev.press(signal.SIGTERM)
        dev.ended()
    assert dev.printed.count("nothing has arrived") == 1
    return said


def test_the_middleware_is_missing(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(BARE)
    said = explained(free_port(), "/")
    assert "cxkit was not started in it: app.py:app has no middleware" in said
    assert "add app.add_middleware(CXMiddleware) to it: `cxkit init` does that, or says where" in said


FLASK = "from flask import Flask\n\napp = Flask(__name__)\n"
MANAGE = "import os\nfrom django.core import management\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mysite')\n"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"app.py": FLASK}, "app.py:app has no middleware; add CXFlask(app) to it"),
        ({"manage.py": MANAGE, "mysite.py": ""}, 'mysite.py has no middleware; add "cxkit_django.CXMiddleware", to it'),
        (
            {"app.py": FLASK + "from cxkit_flask import CXFlask\nCXFlask(app)\n"},
            "it has no middleware; then CXFlask(app)",
        ),
        ({}, 'then app.add_middleware(CXMiddleware) / CXFlask(app) / "cxkit_django.CXMiddleware",'),
        (
            {"manage.py": MANAGE, "mysite.py": "M = 'cxkit_django.CXMiddleware'\nCXKIT = {'directory': 'elsewhere'}\n"},
            "mysite.py:2 gives settings in code, which this command does not read: it may look elsewhere; say the same",
        ),
    ],
)
def test_the_line_is_that_of_the_framework(files: dict[str, str], said: str, tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    found = why(signs(started=False, project=find(tmp_path)))
    assert said in f"{found.what}; {found.fix}".replace("see what it prints; then add", "then")


def test_settings_in_code_are_told_before_anything_is_claimed(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import cxkit\n\nkit = cxkit.Kit(None)\n")
    ran = cxkit("dev", "--", "python", "-c", "")
    assert "cxkit | in code     app.py:3 gives settings in code, which this command does not read" in ran.stderr
    assert "nothing has arrived: app.py:3 gives settings in code" in ran.stderr


def test_somebody_else_answers(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(ANSWER)
    port = free_port()
    said = explained(port, "/")
    assert f"somebody has called 127.0.0.1:{port}, but no middleware wrote to {tmp_path / '.cxkit'}" in said


@pytest.mark.parametrize("lifespan", ["on", "off"])
def test_nobody_has_called(lifespan: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    port = free_port()
    said = explained(port, None, "--lifespan", lifespan)
    assert f"it listens on 127.0.0.1:{port}; nothing has called there" in said
    assert f"open http://127.0.0.1:{port}/" in said


def test_consent_is_withheld(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "cxkit.toml").write_text('[consent]\nbefore_choice = "drop"\n')
    said = explained(free_port(), "/")
    assert 'consent.before_choice is "drop"' in said
    assert "(policy strict/1)" in said
    assert "ask for consent" in said


def test_only_what_is_excluded_was_called(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    port = free_port()
    said = explained(port, "/robots.txt")
    assert f"somebody has called 127.0.0.1:{port}, but only paths in web.exclude, or after refusing" in said


CAPTURING = """
import cxkit
from cxkit_starlette import CXMiddleware
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

{kit}
SERVED = cxkit.touchpoint("page.served")


async def home(request):
    SERVED.capture()
    cxkit.flush(timeout_s=1)  # spooled, and handed on if that can be
    return PlainTextResponse("")


app = Starlette(routes=[Route("/", home)])
app.add_middleware(CXMiddleware, kit=kit)
"""


def test_it_is_captured_by_a_kit_without_the_local_file(tmp_path: Path) -> None:
    own = "from cxkit.settings import Settings\n\nkit = cxkit.Kit(Settings())"
    (tmp_path / "app.py").write_text(CAPTURING.format(kit=own))
    said = explained(free_port(), "/")
    assert re.search(r"interactions? w\w+ captured, but that process has no exporter of type local", said)


def test_it_is_captured_and_not_in_the_local_file_yet(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(CAPTURING.format(kit="kit = None"))
    assert cxkit("dev", "--", "python", "-c", "import cxkit; cxkit.touchpoint('a.b').capture()").returncode == 0
    locker = sqlite3.connect(".cxkit/local.db", isolation_level=None)
    try:
        locker.execute("PRAGMA locking_mode = EXCLUSIVE")
        locker.execute("BEGIN EXCLUSIVE")
        port = free_port()
        with Running(hurried(*uvicorn(port))) as dev:
            dev.until(UP)
            httpx.get(f"http://127.0.0.1:{port}/", timeout=60)
            enough()
            said = dev.until("nothing has arrived: ")
            assert re.search(r"interactions? w\w+ captured, and \w+ not in the local file yet", said)
            locker.execute("COMMIT")
            locker.close()
            dev.until("page.viewed")
    finally:
        locker.close()


def test_nothing_of_it_is_there(tmp_path: Path) -> None:
    with Running(hurried("python", "-c", "import signal; print('ready'); signal.pause()")) as dev:
        dev.until("ready")
        enough()
        said = dev.until("nothing has arrived: ")
    assert "no application was imported (yet), or it has no middleware" in said


def test_a_script_that_captures_nothing(tmp_path: Path) -> None:
    ran = cxkit("dev", "--", "python", "-c", "import cxkit")
    assert ran.returncode == 0
    assert f"nothing has arrived: nothing was written to {tmp_path / '.cxkit'}" in ran.stderr


signs = partial(Signs, settings=Settings())
withheld, dead = ExporterAccount(dropped={"consent": 1}), ExporterAccount(dead=1)


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (signs(started=True, dropped={"consent_refused": 2}), "2 interactions were not kept: the customer refused"),
        (signs(started=True, captured=1, local=withheld), "1 interaction was captured and not handed on: kept, but a"),
        (signs(started=True, captured=1, local=dead), "the local file refused what was captured"),
        (signs(started=True), "cxkit runs in it, but no request has come to the middleware"),
        (signs(started=True, listeners=()), "it listens on no port"),
        (signs(started=False), "no application was imported (yet), or it has no middleware"),
    ],
)
def test_what_else_it_can_be(seen: Signs, said: str) -> None:
    found = why(seen)
    assert said in found.what
    assert found.fix
