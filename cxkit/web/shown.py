"""Experiences for templates, which know them by their names."""

from __future__ import annotations

from cxkit.api.experiences import Experience, experiences
from cxkit.errors import DeclarationError, nearest
from cxkit.kit import current_kit
from cxkit.kit.here import unconfigured
from cxkit.model import Decision

__all__ = ["show"]


def show(name: str) -> Decision:
    """As `cxkit.api.Experience.show`, of the experience of that name, declared in code or configured.

    Where there is none, nothing is shown: a decision without content, and in strict mode a DeclarationError.

    Example:
        >>> import cxkit
        >>> from cxkit.testing import recorder
        >>> _ = cxkit.experience("doc.greeting", fallback=cxkit.Variant(name="all", content="Welcome"))
        >>> with recorder():
        ...     show("doc.greeting").content
        'Welcome'
    """
    handle = experiences.get(name)
    if handle is not None:
        return handle.show()
    try:
        kit = current_kit()
        spec = kit.experiences.get(name)
    except Exception as error:  # noqa: BLE001 - the guest's promise
        unconfigured(error)
        return _nothing(name)
    if spec is not None:
        return Experience(spec).show()
    fix = nearest(name[:64], [*experiences, *kit.experiences])
    kit.intake.note(DeclarationError(f'no experience is called "{name[:64]}"', fix=fix, code="CX3017"))
    return _nothing(name)


def _nothing(name: str) -> Decision:
    return Decision(experience=name, variant="default", reasons=("fallback: there is no such experience",))
