"""Where a process and its children listen, and whether anybody has called there. From Linux' ``/proc``; see proc(5)."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Final, NamedTuple

import attrs

__all__ = ["Listener", "family", "listeners"]

_PROC: Final = Path("/proc")
_LISTEN: Final = 0x0A
_CALLED: Final = frozenset({0x01, 0x03, 0x04, 0x05, 0x06, 0x08, 0x09, 0x0B})
"""States of a connection that was made, from ESTABLISHED to CLOSING; closed ones stay for a minute (TIME_WAIT)."""
_SOCKET: Final = re.compile(r"socket:\[(\d+)\]")


@attrs.frozen(kw_only=True, order=True)
class Listener:
    """A TCP port that is listened on."""

    address: str
    port: int
    called: bool
    """Whether there is a connection to it, or was within the last minute."""

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    @property
    def url(self) -> str:
        """Where a browser on this machine finds it."""
        wildcard = ip_address(self.address).is_unspecified
        return f"http://127.0.0.1:{self.port}/" if wildcard else f"http://{self}/"


class _Entry(NamedTuple):
    """A line of ``/proc/net/tcp``."""

    local: tuple[IPv4Address | IPv6Address, int]
    remote: tuple[IPv4Address | IPv6Address, int]
    state: int
    inode: str


def listeners(pid: int) -> list[Listener] | None:
    """The ports that a process and all it has started listen on; None where that cannot be known."""
    if not (_PROC / "self" / "net" / "tcp").exists():
        return None
    entries = [entry for name in ("tcp", "tcp6") for entry in _entries(_PROC / str(pid) / "net" / name)]
    own = {inode for member in family(pid) for inode in _sockets(member)}
    bound = {entry.local for entry in entries if entry.state == _LISTEN and entry.inode in own}
    made = [entry for entry in entries if entry.state in _CALLED]
    return sorted(
        Listener(address=str(address), port=port, called=any(_is_call(entry, address, port) for entry in made))
        for address, port in bound
    )


def _is_call(entry: _Entry, address: IPv4Address | IPv6Address, port: int) -> bool:
    """Whether one end of a connection is there; the end that hung up first is the one that stays."""
    here, there = entry.local, entry.remote
    meant = address.is_unspecified
    return (here[1] == port and (meant or _plain(here[0]) == _plain(address))) or (
        there[1] == port and (_plain(there[0]) == _plain(address) or (meant and _plain(there[0]).is_loopback))
    )


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def family(pid: int) -> set[int]:
    """A process and its descendants."""
    parents = dict(_parents())
    family, found = {pid}, {pid}
    while found:
        found = {child for child, parent in parents.items() if parent in found} - family
        family |= found
    return family


def _parents() -> Iterator[tuple[int, int]]:
    for path in _PROC.glob("[0-9]*"):
        try:
            behind_name = (path / "stat").read_text(errors="replace").rpartition(")")[2]
            yield int(path.name), int(behind_name.split()[1])
        except (OSError, ValueError, IndexError):  # it has just ended
            continue


def _sockets(pid: int) -> Iterator[str]:
    try:
        for descriptor in (_PROC / str(pid) / "fd").iterdir():
            if found := _SOCKET.fullmatch(str(descriptor.readlink())):
                yield found[1]
    except OSError:  # it has just ended, or is another user's
        return


def _entries(path: Path) -> Iterator[_Entry]:
    try:
        lines = path.read_text().splitlines()[1:]
    except OSError:
        return
    for line in lines:
        fields = line.split()
        yield _Entry(_endpoint(fields[1]), _endpoint(fields[2]), int(fields[3], 16), fields[9])


def _endpoint(text: str) -> tuple[IPv4Address | IPv6Address, int]:
    """Address and port; the address is in words of the machine's own byte order."""
    address, _, port = text.partition(":")
    words = [int(address[place : place + 8], 16) for place in range(0, len(address), 8)]
    return ip_address(struct.pack(f"={len(words)}I", *words)), int(port, 16)
