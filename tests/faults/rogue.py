"""A stranger's plugin, installed as an installer leaves it; what it does is for each test to say."""

from __future__ import annotations

import textwrap
from pathlib import Path

from cxkit.testing.receiver import Receiver
from tests.faults.world import configure

__all__ = ["ENRICHERS", "HOOKS", "ROGUE", "install", "with_rogue"]

ROGUE = """
import logging, os, threading, time
import attrs
from cxkit.hookspecs import hookimpl
from cxkit.roles import Factory, Outcome

@attrs.frozen(kw_only=True)
class Options:
    pass

class Rogue:
    purposes = frozenset({"analytics"})
    attempts = 0

    def __init__(self, options):
        pass

    def export(self, batch, *, deadline_s):
        Rogue.attempts += 1
        return self.attempt(batch)

    def attempt(self, batch):
        return Outcome.delivered()

    def close(self):
        pass

    def enrich(self, facts, context):
        return {}

"""
HOOKS = """
@hookimpl
def cxkit_exporters():
    return [Factory(name="rogue", settings=Options, build=Rogue)]
"""
ENRICHERS = """
@hookimpl
def cxkit_enrichers():
    return [Factory(name="rogue", settings=Options, build=Rogue)]
"""


def install(folder: Path, text: str) -> None:
    """A distribution with an entry point, as an installer leaves it: in the folder where the process runs."""
    (folder / "rogue.py").write_text(ROGUE + textwrap.dedent(text))
    described = folder / "rogue-1.0.dist-info"
    described.mkdir(exist_ok=True)
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: rogue\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text("[cxkit]\nrogue = rogue\n")


def with_rogue(folder: Path, receiver: Receiver, extra: str = "") -> None:
    rogue = '\n[exporters.rogue]\ntype = "rogue"\npurposes = ["analytics"]\n'
    configure(folder, extra + rogue, sink=receiver)
