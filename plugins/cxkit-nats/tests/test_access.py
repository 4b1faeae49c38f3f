"""Who may: passwords, tokens, files of credentials, certificates; and what is said to those who may not."""

from __future__ import annotations

import base64
import json
import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
import trustme

from cxkit.errors import ConfigurationError
from cxkit.roles import Batch, Outcome
from cxkit.settings import Secret
from cxkit_nats import FACTORY, NATSExporter, Settings


def batch(*ids: str) -> Batch:
    return Batch("b1", tuple(b'{"id":"%s","type":"io.cxkit.cart.item_added"}' % id.encode() for id in ids))


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"servers": ()}, "CX9032"),
        ({"servers": ("127.0.0.1:4222",)}, "CX9032"),
        ({"servers": ("nats://cx:hunter22@127.0.0.1:4222",)}, "CX9032"),
        ({"servers": ("ws://127.0.0.1:4222",)}, "CX9032"),
        ({"stream": "C X"}, "CX9033"),
        ({"inbox_prefix": "a.>"}, "CX9033"),
        ({"user": "cx"}, "CX9034"),
        ({"token": Secret("t"), "creds_file": "x.creds"}, "CX9034"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any], code: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings(**{"servers": ("nats://127.0.0.1:4222",), **wrong})
    assert caught.value.code == code
    assert "hunter22" not in str(caught.value)


@pytest.mark.parametrize(("wrong", "code"), [({"creds_file": "none"}, "CX9035"), ({"ca_file": "none"}, "CX9036")])
def test_files_that_are_not_there_are_refused(wrong: dict[str, Any], code: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        NATSExporter(Settings(servers=("nats://127.0.0.1:4222",), **wrong))
    assert caught.value.code == code


def test_nothing_is_written_before_tls_where_tls_is_asked_for() -> None:
    """A server, or whoever stands between, says it has no TLS: the password does not leave."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port, heard = listener.getsockname()[1], bytearray()

        def pretend() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b'INFO {"server_id":"x","headers":true,"auth_required":true,"max_payload":9999}\r\n')
                while chunk := connection.recv(4096):
                    heard.extend(chunk)

        thread = threading.Thread(target=pretend)
        thread.start()
        settings = Settings(servers=(f"tls://127.0.0.1:{port}",), user="cx", password=Secret("hunter22"))
        exporter = NATSExporter(settings)
        outcome = exporter.export(batch("1"), deadline_s=5)
        exporter.close()
        thread.join(10)
    assert outcome == Outcome.pause("tls")
    assert heard == b""


def test_secrets_are_not_shown() -> None:
    settings = Settings(servers=("nats://127.0.0.1:4222",), user="cx", password=Secret("hunter22"))
    exporter = FACTORY.build(settings)
    shown = exporter.preview(batch("1"))  # type: ignore[attr-defined]
    assert "hunter22" not in f"{settings!r}{exporter!r}{shown}"
    assert "cx.cart.item_added" in shown


# --- with a server ---------------------------------------------------------------------------------

USERS = """
authorization {
  users: [
    { user: desk, password: desk }
    { user: cx, password: hunter22 }
    { user: mute, password: m, permissions: { publish: "elsewhere.>", subscribe: "_INBOX.>" } }
    { user: deaf, password: d, permissions: { publish: "cx.>", subscribe: "_INBOX_deaf.>" } }
  ]
}
"""


@pytest.mark.services
def test_who_may_not_is_told_so(serve: Any, desk_at: Any, exporter_of: Any) -> None:
    server = serve(USERS)
    desk = desk_at(server, user="desk", password="desk")
    ask = {"ack_timeout_s": 0.5}
    wrong, mute = Secret("wrong"), Secret("m")
    assert exporter_of(server).export(batch("1"), deadline_s=5) == Outcome.pause("auth")
    assert exporter_of(server, user="cx", password=wrong).export(batch("1"), deadline_s=5) == Outcome.pause("auth")
    assert exporter_of(server, token=wrong).export(batch("1"), deadline_s=5) == Outcome.pause("auth")
    assert exporter_of(server, user="mute", password=mute, **ask).export(batch("1"), deadline_s=5) == Outcome.pause(
        "permission"
    )
    assert exporter_of(server, user="deaf", password=Secret("d"), **ask).export(
        batch("1"), deadline_s=5
    ) == Outcome.pause("permission")
    right = exporter_of(server, user="deaf", password=Secret("d"), inbox_prefix="_INBOX_deaf")
    assert right.export(batch("2"), deadline_s=5) == Outcome.delivered()
    assert exporter_of(server, user="cx", password=Secret("hunter22")).export(batch("3"), deadline_s=5).verdict == (
        "delivered"
    )
    assert set(desk.ids()) == {"1", "2", "3"}, "the deaf one's message was kept; nobody could tell it"


@pytest.mark.services
def test_a_token_is_enough(serve: Any, desk_at: Any, exporter_of: Any) -> None:
    server = serve("authorization { token: hunter22 }")
    desk = desk_at(server, token="hunter22")
    assert exporter_of(server, token=Secret("hunter22")).export(batch("1"), deadline_s=5) == Outcome.delivered()
    assert desk.ids() == ["1"]


@pytest.mark.services
def test_a_file_of_credentials_is_enough(serve: Any, desk_at: Any, exporter_of: Any, tmp_path: Path) -> None:
    """With an operator's JWT in the server, an account's in its memory, and a user's in the file."""
    operator, system, account, user, stranger = (Keys(kind) for kind in (b"O", b"A", b"A", b"U", b"U"))
    plain = dict.fromkeys(("subs", "conn", "data", "payload"), -1)
    kept = plain | dict.fromkeys(("mem_storage", "disk_storage", "streams", "consumer"), -1)
    tokens = {
        one.public: operator.signed("account", of=one, limits=limits)
        for one, limits in ((system, plain), (account, kept))
    }
    server = serve(
        f"operator: {operator.signed('operator', of=operator)}\nsystem_account: {system.public}\n"
        f"resolver: MEMORY\nresolver_preload: {json.dumps(tokens)}"
    )
    file = tmp_path / "shop.creds"
    file.write_text(account.credentials(user), "utf-8")
    desk = desk_at(server, user_credentials=str(file))
    assert exporter_of(server, creds_file=str(file)).export(batch("1"), deadline_s=5) == Outcome.delivered()
    assert desk.ids() == ["1"]
    file.write_text(stranger.credentials(user), "utf-8")
    assert exporter_of(server, creds_file=str(file)).export(batch("2"), deadline_s=5) == Outcome.pause("auth")


class Keys:
    """A pair of keys of NATS, and the tokens it signs. Source: docs of nats-server, "JWTs"."""

    def __init__(self, kind: bytes) -> None:
        import nkeys

        prefix = {b"O": nkeys.PREFIX_BYTE_OPERATOR, b"A": nkeys.PREFIX_BYTE_ACCOUNT, b"U": nkeys.PREFIX_BYTE_USER}
        self.seed = bytes(nkeys.encode_seed(os.urandom(32), prefix[kind]))
        self._pair = nkeys.from_seed(bytearray(self.seed))
        self.public = self._pair.public_key.decode()

    def signed(self, type: str, *, of: Keys, **claims: Any) -> str:
        body = {
            "jti": "1",
            "iat": 1,
            "iss": self.public,
            "sub": of.public,
            "nats": {"type": type, "version": 2, **claims},
        }
        parts = [base64url(json.dumps(one).encode()) for one in ({"typ": "JWT", "alg": "ed25519-nkey"}, body)]
        signature = self._pair.sign(".".join(parts).encode())
        return ".".join([*parts, base64url(bytes(signature))])

    def credentials(self, user: Keys) -> str:
        jwt, seed = self.signed("user", of=user, subs=-1, data=-1, payload=-1), user.seed.decode()
        return (
            f"-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        )


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@pytest.mark.services
def test_tls_with_certificates_of_both_sides(serve: Any, tmp_path: Path) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    for name, one in {"server": authority.issue_cert("127.0.0.1"), "client": authority.issue_cert("cx@shop")}.items():
        one.private_key_and_cert_chain_pem.write_to_path(tmp_path / f"{name}.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    stranger.cert_pem.write_to_path(tmp_path / "stranger.pem")
    pem = tmp_path / "server.pem"
    server = serve(f'tls {{ cert_file: "{pem}", key_file: "{pem}", ca_file: "{tmp_path / "ca.pem"}", verify: true }}\n')
    url = server.url.replace("nats:", "tls:")

    def outcome(**settings: Any) -> Outcome:
        exporter = NATSExporter(Settings(servers=(url,), ack_timeout_s=1.0, **settings))
        try:
            return exporter.export(batch("1"), deadline_s=5)
        finally:
            exporter.close()

    ours = {"ca_file": str(tmp_path / "ca.pem"), "cert_file": str(tmp_path / "client.pem")}
    assert outcome(**ours) == Outcome.retry("no_stream"), "let in: nobody has made a stream"
    assert outcome(**ours | {"ca_file": str(tmp_path / "stranger.pem")}) == Outcome.pause("tls")
    assert outcome() == Outcome.pause("tls")
    assert outcome(ca_file=ours["ca_file"]).verdict in ("pause", "retry"), "without our certificate: not let in"
