"""How well the client's address is told, on another project's test cases. They are not part of cxkit; get them first.

``python -m benchmarks.client_ips realclientip_test.go``

- ``realclientip_test.go``: the test cases of realclientip/realclientip-go (0BSD), for the strategies that cxkit has.
  Its peer is trusted unless a case says otherwise, so here it is a Unix socket that is.

Recall: of the cases with an address, in how many it is told. Precision: of the addresses told, how many are right. An
IPv4-mapped address is IPv4, and a zone is none of a client's: so they are compared. All misses are listed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, NamedTuple

from cxkit.errors import ConfigurationError
from cxkit.settings import ClientIP
from cxkit.web.client_ip import client_ip_strategy

STRATEGIES = {
    "RemoteAddr": "peer",
    "SingleIPHeader": "single_header",
    "RightmostTrustedCount": "rightmost_trusted_count",
    "RightmostTrustedRange": "rightmost_trusted_range",
    "RightmostNonPrivate": "rightmost_trusted_range",
}
TEXT = re.compile(r'`([^`]*)`|"((?:[^"\\]|\\.)*)"')


class Case(NamedTuple):
    """What was asked, and what should be told."""

    family: str
    name: str
    settings: dict[str, Any]
    headers: dict[str, str]
    peer: str | None
    wanted: str | None


def main() -> None:
    told = [(case, tell(case)) for path in map(Path, sys.argv[1:]) for case in cases(path.read_text("utf-8"))]
    for family in STRATEGIES:
        report(family, [(case, address) for case, address in told if case.family == family])
    report("all", told)
    for case, address in told:
        if address != case.wanted:
            print(f"  {case.family}: {case.name}: {address or 'nothing'} instead of {case.wanted or 'nothing'}")


def cases(source: str) -> Iterator[Case]:
    for family, strategy in STRATEGIES.items():
        body = re.search(rf"\nfunc Test{family}Strategy\(.*?\n}}\n", source, re.DOTALL)
        assert body is not None, family
        for block in re.split(r"\n\t\t\{\n", body[0])[1:]:
            if (
                "trustedRanges: ranges." not in block and "wantErr: true" not in block
            ):  # others' ranges; no strategy at all
                yield case_of(family, strategy, block)


def case_of(family: str, strategy: str, block: str) -> Case:
    headers = {
        name.lower(): ", ".join(texts(values))
        for name, values in re.findall(r'"([\w-]+)":\s*(?:\[\]string)?\{(.*)\}', block)
    }
    settings: dict[str, Any] = {"strategy": strategy}
    peer = said(block, "remoteAddr")
    peer = None if peer == "@" else peer  # as Go writes a Unix socket
    if strategy != "peer":
        settings["header"] = said(block, "headerName")
        settings["trusted"] = ("unix",)
    if family == "RightmostNonPrivate":
        settings["trusted"] = ("unix", "private", "loopback")
    if family == "RightmostTrustedRange" and (
        ranges := re.search(r"trustedRanges: \[\]string\{(.*?)\}", block, re.DOTALL)
    ):
        settings["trusted"] = ("unix", *[str(ip_network(one, strict=False)) for one in texts(ranges[1])])
    if count := re.search(r"trustedCount:\s*([0-9]+)", block):
        settings["hops"] = int(count[1])
    return Case(family, said(block, "name") or "", settings, headers, peer, canonical(said(block, "want")))


def tell(case: Case) -> str | None:
    try:
        return client_ip_strategy(ClientIP(**case.settings))(case.headers, case.peer)
    except ConfigurationError:
        return None


def said(block: str, field: str) -> str | None:
    found = re.search(rf"\b{field}:\s*({TEXT.pattern})", block)
    return next(iter(texts(found[1])), None) if found else None


def texts(source: str) -> list[str]:
    return [raw or quoted for raw, quoted in TEXT.findall(source)]


def canonical(text: str | None) -> str | None:
    if not text:
        return None
    address = ip_address(text.partition("%")[0])
    return str(getattr(address, "ipv4_mapped", None) or address)


def report(name: str, told: list[tuple[Case, str | None]]) -> None:
    right = sum(address is not None and address == case.wanted for case, address in told)
    wanted, given = sum(case.wanted is not None for case, _ in told), sum(address is not None for _, address in told)
    print(f"{name}: {len(told)} cases; recall {right} of {wanted}, precision {right} of {given}")


if __name__ == "__main__":
    main()
