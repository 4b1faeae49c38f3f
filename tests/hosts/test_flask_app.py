"""A Flask app with the one line, under gunicorn: each visit is captured and delivered once, and the stop is clean."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from cxkit.delivery.account import ExporterAccount, read_account
from cxkit.testing.receiver import Receiver
from tests.hosts.servers import Acknowledged, serving, traffic, until

pytestmark = pytest.mark.services

APP = """
import os

import cxkit
from cxkit_flask import CXFlask
from flask import Flask, Response

SEEN = cxkit.touchpoint("shop.seen")
app = Flask("shop")
CXFlask(app)


@app.route("/")
def home():
    return f"{os.getpid()} {SEEN.capture()} 0"


@app.route("/streamed/<int:number>")
def streamed(number):
    def pieces():
        yield f"{os.getpid()} "
        yield f"{SEEN.capture()} 0"

    return Response(pieces())
"""


@pytest.mark.parametrize("name", ["gunicorn", "gunicorn threads", "gunicorn gevent", "gunicorn gevent preload"])
def test_each_visit_is_delivered_once(name: str, tmp_path: Path, receiver: Receiver) -> None:
    told = Acknowledged()
    with serving(name, tmp_path, APP) as host:
        with traffic(host, told):
            until(lambda: len(told.ids) >= 200 and len(told.by_process) == 2, "both workers answer")
        for number in range(20):
            told.add(host.ask(f"/streamed/{number}"))
        assert host.end() == 0
        assert "Traceback" not in host.printed, host.printed
    names = Counter(one.name for one in receiver.interactions)
    assert names == {"shop.seen": len(told.ids), "page.viewed": len(told.ids)}
    assert len(set(receiver.ids)) == len(receiver.ids)
    assert told.ids <= set(receiver.ids)
    account = read_account(tmp_path / ".cxkit")
    assert account.balanced
    assert account.exporters == {"sink": ExporterAccount(delivered=2 * len(told.ids))}
