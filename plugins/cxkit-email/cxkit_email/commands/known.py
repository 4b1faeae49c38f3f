"""What is known here of messages: the keys and the store of this directory, looked at; neither is ever made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

import attrs

from cxkit.errors import StoreError
from cxkit.keyring import GENERATED, Keyring
from cxkit.kit import Kit
from cxkit.model import Mailing, Message
from cxkit.settings import Settings as Configuration
from cxkit.settings import load
from cxkit_email.channel import channel_of
from cxkit_email.settings import Settings

__all__ = ["Known", "known"]


@attrs.frozen(kw_only=True)
class Known:
    """What can be asked here."""

    keyring: Keyring | None = None
    """None: there are no keys here, so no token was ever made."""
    kit: Kit | None = None
    """One that delivers nothing; None: there is no store here yet."""
    reached: bool = True
    """Whether the store, if there is one, could be opened."""

    @property
    def settings(self) -> Settings | None:
        channel = None if self.kit is None else channel_of(self.kit)
        return None if channel is None else channel.settings

    def message(self, id: str) -> Message | None:
        """The message with this id; None: none is known.

        Raises:
            StoreError: It cannot be known now.
        """
        return None if self.kit is None else self.kit.messages.of(id)

    def mailing(self, id: str) -> Mailing | None:
        """The mailing with this id; None: none is known.

        Raises:
            StoreError: It cannot be known now.
        """
        return None if self.kit is None else self.kit.messages.mailing(id)

    def transactional(self, topic: str) -> bool:
        """Whether nobody can leave it."""
        declared = None if self.kit is None else self.kit.desk.sending.topic(topic)
        return declared is not None and declared.kind == "transactional"


@contextmanager
def known() -> Iterator[Known]:
    """What the configuration of this directory leads to.

    Raises:
        ConfigurationError: A setting is wrong.
    """
    configuration = load()
    keys = configuration.keys
    if not (keys.signing and keys.identifier) and not (configuration.directory / GENERATED).exists():
        yield Known()
        return
    keyring = Keyring.open(
        configuration.directory.absolute(),
        signing=[one.reveal() for one in keys.signing],
        identifier=keys.identifier.reveal() if keys.identifier else None,
    )
    try:
        kit = Kit(attrs.evolve(configuration, exporters={})) if _has_store(configuration) else None
    except StoreError:
        yield Known(keyring=keyring, reached=False)
        return
    with nullcontext() if kit is None else closing(kit):
        yield Known(keyring=keyring, kit=kit)


def _has_store(configuration: Configuration) -> bool:
    table = configuration.store
    if table.type == "sqlite":
        return Path(str(table.options.get("path", configuration.directory / "state.db"))).exists()
    return table.type != "memory"
