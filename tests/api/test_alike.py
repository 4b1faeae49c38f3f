"""Whoever is decided for in several processes is decided for alike, without a word between them."""

from __future__ import annotations

import os
import subprocess
import sys

DECIDES = """
import cxkit
from cxkit.model import Experiment
from cxkit.settings import Settings

HERO = cxkit.experience(
    "alike.hero",
    fallback=cxkit.Variant(name="all"),
    variants=[cxkit.Variant(name="bold"), cxkit.Variant(name="calm")],
    experiments=[Experiment(name="b", variations=("all", "bold", "calm"), weights=(0.5, 0.3, 0.2), unit="user_id")],
)
kit = cxkit.Kit(Settings(), exporters={}, in_memory=True)
for number in range(500):
    with cxkit.scope(kit=kit, user_id=f"né\\U0001f36c{number}"):
        cxkit.grant("analytics")
        print(HERO.decide().variant, end=" ")
kit.close()
"""


def test_four_processes_assign_the_same() -> None:
    running = [
        subprocess.Popen(
            [sys.executable, "-c", DECIDES],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in range(4)
    ]
    said = {one.communicate(timeout=60)[0] for one in running}
    assert [one.returncode for one in running] == [0] * 4
    (variants,) = said
    assert len(variants.split()) == 500
    assert set(variants.split()) == {"all", "bold", "calm"}
