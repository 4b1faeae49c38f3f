"""A file of ours, as it is served: the same for everybody, and kept by caches until it is another one."""

from __future__ import annotations

from base64 import b64encode
from functools import cached_property
from hashlib import sha384
from importlib.resources import files

from cxkit.model import Facts
from cxkit.roles import Reply

__all__ = ["Static"]


class Static:
    """A file of a package; it is read when it is first asked for.

    Args:
        package: Where it is, by its import name.
        name: Of the file.
        type: Its media type; it is UTF-8.
        max_age_s: How long it is used without asking whether there is another one.
        headers: What is said of it besides.
    """

    def __init__(
        self, *, package: str, name: str, type: str, max_age_s: int, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        self._package = package
        self._name = name
        self._typed = (("Content-Type", f"{type}; charset=utf-8"), ("X-Content-Type-Options", "nosniff"), *headers)
        self._kept = f"public, max-age={max_age_s}"

    @cached_property
    def body(self) -> bytes:
        """What is in it."""
        return files(self._package).joinpath(self._name).read_bytes()

    @cached_property
    def integrity(self) -> str:
        """Its digest, as Subresource Integrity (W3C) has it."""
        return f"sha384-{b64encode(sha384(self.body).digest()).decode()}"

    @cached_property
    def version(self) -> str:
        """Another one as soon as the file is another one."""
        return sha384(self.body).hexdigest()[:16]

    def serve(self, facts: Facts, _: bytes) -> Reply:
        """The file; or that the one they have is still the same."""
        tag = f'"{self.version}"'
        headers = (("Cache-Control", self._kept), ("ETag", tag))
        held = facts.headers.get("if-none-match", "")
        if held.strip() == "*" or tag in (one.strip().removeprefix("W/") for one in held.split(",")):
            return Reply(status=304, headers=headers)
        return Reply(status=200, headers=(*headers, *self._typed), body=self.body)
