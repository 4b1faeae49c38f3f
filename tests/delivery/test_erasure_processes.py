"""erase, and other processes: one that is idle hears of it, and nothing it keeps of them is left."""

from __future__ import annotations

from pathlib import Path

from cxkit.delivery.kept import Found, find_kept
from cxkit.flows.documents import key_of
from cxkit.flows.erase import erase
from cxkit.flows.identify import identifiers_of
from cxkit.kit import Kit
from cxkit.model import Identity
from cxkit.settings import Settings
from tests.delivery.processes import Run, configure
from tests.flows.world import eventually

DOWN = '[exporters.down]\ntype = "http"\nurl = "http://127.0.0.1:1/"\npurposes = ["analytics"]\n'

IDLE = """
from cxkit.kit.default import default_kit
for who in ("nancy", "mary"):
    with cxkit.scope(user_id=who, evidence="login"):
        cxkit.grant("analytics", "identity_stitching")
        cxkit.identify()
        SEEN.capture(text=f"almonds for {who}")
spool()
import asyncio
assert asyncio.run(cxkit.settled(timeout_s=20))
say("idle")
sys.stdin.readline()
say(default_kit().account().balanced)
"""


def everything(root: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(root.glob("spool/*/*.seg")) if file.is_file())


def test_an_idle_process_erases_what_waits_in_its_spool(run: Run, tmp_path: Path) -> None:
    configure(tmp_path, DOWN)
    child = run(IDLE)
    assert child.line() == ["idle"]
    root = tmp_path / ".cxkit"
    kit = Kit(Settings(directory=root))
    try:
        nancy = Identity(identifiers=tuple(identifiers_of(kit.desk.keyring, {"user_id": "nancy"}, evidence="login")))
        subjects = frozenset({bytes.fromhex(key_of(kit.desk.keyring, nancy.identifiers[0]))})
        before = find_kept(root, subjects)
        assert before.live >= 2
        assert before == Found(live=before.live)
        assert erase(kit.desk, kit.root_scope, identity=nancy, suppress=False, until=None) is not None
        eventually(lambda: find_kept(root, subjects) == Found())
        assert b"almonds for nancy" not in everything(root)
        assert b"almonds for mary" in everything(root)
        child.tell()
        assert child.line() == ["True"]
        assert child.wait() == 0, child.stderr
    finally:
        kit.close(timeout_s=1)


def test_who_only_watches_does_not_keep_the_process_from_ending(run: Run, tmp_path: Path) -> None:
    configure(tmp_path, DOWN)
    child = run("capture(1); spool(); say('there'); os.kill(os.getpid(), 0)")
    assert child.line() == ["there"]
    assert child.wait() == 0, child.stderr


HANGING = """
from cxkit.kit import Kit
from cxkit.settings import Settings
from cxkit.stores.memory import MemoryStore
from pathlib import Path

asked = threading.Event()

class Hanging(MemoryStore):
    def changes_since(self, token, *, limit=1000):
        asked.set()
        threading.Event().wait()

kit = Kit(Settings(directory=Path(".cxkit")), store=Hanging())
with cxkit.scope(kit=kit):
    SEEN.capture(n=1)
assert asked.wait(20)
with cxkit.scope(kit=kit):
    SEEN.capture(n=2)
assert kit.flush(timeout_s=20).complete
say("there")
"""


def test_a_store_that_hangs_keeps_nobody_from_going_on_and_ending(run: Run, tmp_path: Path) -> None:
    child = run(HANGING)
    assert child.line() == ["there"]
    assert child.wait() == 0, child.stderr
