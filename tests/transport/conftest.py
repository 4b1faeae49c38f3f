"""A collector, a transport to it, and an authority whose certificates it may show."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from cxkit.testing.receiver import Receiver
from cxkit.transport import Transport


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def transport() -> Iterator[Transport]:
    transport = Transport()
    yield transport
    transport.close()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture(scope="session")
def serving(authority: trustme.CA) -> Callable[..., ssl.SSLContext]:
    """The context of a server with a certificate for these names."""

    def make(*names: str, by: trustme.CA = authority, expired: bool = False) -> ssl.SSLContext:
        moment = datetime.now(UTC) - timedelta(days=1)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        by.issue_cert(*names, **({"not_after": moment} if expired else {})).configure_cert(context)
        return context

    return make
