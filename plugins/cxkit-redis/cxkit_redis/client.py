"""The client library, told what the operator said, and to do nothing twice."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry

from cxkit.errors import ConfigurationError
from cxkit_redis.scripts import SCRIPTS
from cxkit_redis.settings import Settings
from cxkit_redis.trouble import EVICTS, OLD_SERVER, failed

__all__ = ["client_of", "scripts_of"]


def client_of(settings: Settings) -> redis.Redis:
    """A client that has not connected yet.

    Raises:
        ConfigurationError: The URL or a file of certificates cannot be used.
    """
    options: dict[str, Any] = {
        "max_connections": settings.connections + 1,
        "timeout": settings.timeout_s,
        "socket_timeout": settings.timeout_s,
        "socket_connect_timeout": settings.timeout_s,
        "client_name": "cxkit",
        "redis_connect_func": _greeted,
        # Who called tries again; the library would commit twice without telling.
        "retry": Retry(NoBackoff(), 0),
    }
    files = {"ssl_ca_certs": settings.ca_file, "ssl_certfile": settings.cert_file, "ssl_keyfile": settings.key_file}
    if settings.url.reveal().startswith("rediss:"):
        options |= {name: file for name, file in files.items() if file is not None} | {
            "ssl_min_version": ssl.TLSVersion.TLSv1_2
        }
    try:
        return redis.Redis(connection_pool=redis.BlockingConnectionPool.from_url(settings.url.reveal(), **options))
    except (ValueError, TypeError):
        raise ConfigurationError(
            '"url" is not one of Redis',
            fix='write "redis://host:6379/0", and special characters of a password in per cent',
            code="CX9061",
        ) from None


def scripts_of(client: redis.Redis) -> Mapping[str, Script]:
    """The scripts, ready to be called; each is loaded where a server does not know it."""
    return {name: client.register_script(text) for name, text in SCRIPTS.items()}


def _greeted(connection: Any) -> None:
    """Refuse a server that would lose what it is given, before anything is given to it."""
    connection.on_connect()
    connection.send_command("INFO", "everything")
    lines = bytes(connection.read_response()).decode("utf-8", "replace").splitlines()
    says = dict(line.split(":", 1) for line in lines if ":" in line)
    if int(says.get("redis_version", "0").partition(".")[0]) < 7:
        raise failed(OLD_SERVER)
    if says.get("maxmemory", "0") != "0" and says.get("maxmemory_policy", "").startswith("allkeys"):
        raise failed(EVICTS)
