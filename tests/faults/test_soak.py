"""F45: a day of an app's life, compressed: 200 interactions a second, a collector that fails in every way it can."""

from __future__ import annotations

import itertools
import json
import random
import threading
from collections.abc import Callable
from pathlib import Path

from cxkit.delivery.account import read_account
from cxkit.testing.receiver import Answer, Receiver
from tests.faults.figures import figure
from tests.faults.world import FULL, Run, configure, duplicates, healed, judge, progress, whole

SECONDS = whole(1800, 8)
EVERY = whole(1000, 200)
"""After so many captures a sample is taken."""

SCRIPT = """
import json
signal.alarm({seconds} + 200)
kit = cxkit.configure()
for number in range(5000):  # first the most that a lane ever holds: it takes its memory once, and keeps it
    SEEN.capture(n=number, text="x" * 300)
deliver(120)
ends = time.monotonic() + {seconds}
due, samples = time.monotonic(), []
number += 1
while time.monotonic() < ends:
    SEEN.capture(n=number, text="x" * (number % 300))
    number += 1
    if number % {every} == 0:
        samples.append([rss(), len(os.listdir("/proc/self/fd")), threading.active_count()])
        say("alive", number)
    due += 0.005
    time.sleep(max(0.0, due - time.monotonic()))  # a pace, not a wait
with open("samples.json", "w") as file:
    json.dump(samples, file)
say("paced", number)
sys.stdin.readline()
deliver(120)
"""


class Weather:
    """A collector in good times and bad ones, in turn; in bad ones each answer fails in its own way, or none comes.

    Faults come by time, not by request: else a lane that waits ever longer would never meet a good moment.
    """

    def __init__(self) -> None:
        self.receiver = Receiver(answer=lambda request: self._chance.choice(self._kinds)() if self._bad else Answer())
        self._chance = random.Random(20261121)
        self._bad = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._turn)
        draw = self._chance
        self._kinds: list[Callable[[], Answer]] = [
            Answer,
            lambda: Answer(status=draw.choice([500, 502, 503, 504])),
            lambda: Answer(status=429, headers={"Retry-After": "1"}),
            lambda: Answer(cut_bytes=0, end="close"),
            lambda: Answer(cut_bytes=0, end="reset"),
            lambda: Answer(body=b"x" * 1000, cut_bytes=500, end="reset"),
            lambda: Answer(cut_bytes=0, end="hang"),
            lambda: Answer(delay_s=draw.uniform(0, 0.5)),
            lambda: Answer(body=itertools.repeat(b"x" * 65_536, 100)),
        ]

    def __enter__(self) -> Receiver:
        self.receiver.start()
        self._thread.start()
        return self.receiver

    def clear(self) -> None:
        """From now on all is well."""
        self._stop.set()
        self._thread.join()
        self._bad = False

    def __exit__(self, *_: object) -> None:
        self.clear()
        self.receiver.stop()

    def _turn(self) -> None:
        while not self._stop.wait(self._chance.uniform(1, 6)):
            self._bad = True
            if self._chance.random() < 0.3:
                self.receiver.stop()
            self._stop.wait(self._chance.uniform(0.2, 3))
            self.receiver.stop()
            self.receiver.start()
            self._bad = False


def slope(values: list[float]) -> float:
    """By least squares, per step."""
    middle, mean = (len(values) - 1) / 2, sum(values) / len(values)
    above = sum((place - middle) * (value - mean) for place, value in enumerate(values))
    return above / sum((place - middle) ** 2 for place in range(len(values)))


def test_a_day_compressed(run: Run, tmp_path: Path) -> None:
    """F45: conservation exact, descriptors and threads constant; whole, RSS grows by less than 1 MiB an hour."""
    weather = Weather()
    with weather as receiver:
        configure(tmp_path, sink=(receiver, {"deadline_s": 2.0}))
        child = run(SCRIPT.format(seconds=SECONDS, every=EVERY))
        while (said := child.line())[0] == "alive":
            if int(said[1]) % 12_000 == 0:
                progress(f"{int(said[1]):,} captured, {len(set(receiver.ids)):,} arrived")
        captured = int(said[1])
        weather.clear()
        child.tell()
        assert child.process.wait(180) == 0, child.stderr
        assert "Traceback" not in child.stderr
        account = read_account(tmp_path / ".cxkit")
        judge(account, captured=captured, sink=receiver)
        assert account.exporters["sink"].delivered == captured
        healed(run, tmp_path, captured=captured, sink=receiver)
        figure("F45", f"{SECONDS} s at 200/s with faults: captured, delivered", f"{captured:,}, {captured:,}")
        figure("F45", f"{SECONDS} s at 200/s with faults: came twice", duplicates(receiver))
    check_samples(tmp_path / "samples.json")


def check_samples(file: Path) -> None:
    """What it took, sample by sample; at first it grows into its size."""
    memory, files, threads = zip(*json.loads(file.read_text()), strict=True)
    settled = len(memory) // 3
    assert max(files[settled:]) - min(files[settled:]) <= 6, "a segment, a connection, and their successors"
    assert max(threads[settled:]) - min(threads[settled:]) <= 1, "one that looks a name up comes and goes"
    per_hour = slope(list(memory[settled:])) * 3600 / (EVERY / 200) / (1 << 20)
    figure("F45", "descriptors, threads: most", f"{max(files)}, {max(threads)}")
    if FULL:
        figure("F45", "RSS slope of the last two thirds", per_hour, "MiB/h")
        assert per_hour < 1.0
