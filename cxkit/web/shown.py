"""Experiences for templates, which know them by their names."""

from __future__ import annotations

from cxkit.api.experiences import Experience
from cxkit.errors import DeclarationError, nearest
from cxkit.kit import current_kit
from cxkit.kit.here import unconfigured
from cxkit.model import Decision

__all__ = ["show"]


def show(name: str) -> Decision:
    """As `cxkit.api.Experience.show`, of the experience of that name, declared in code or configured.

    Where there is none, nothing is shown, which is counted: a decision whose slots are empty texts, so that a template
    that prints them or goes through them prints nothing. In strict mode it is a DeclarationError.

    Example:
        >>> import cxkit
        >>> from cxkit.testing import recorder
        >>> _ = cxkit.experience("doc.greeting", fallback=cxkit.Variant(name="all", content="Welcome"))
        >>> with recorder():
        ...     show("doc.greeting").content
        'Welcome'
    """
    given: object = name
    name = given if isinstance(given, str) else ""  # a template's variable that is not there, say
    handle = Experience.named(name)
    if handle is not None:
        return handle.show()
    try:
        kit = current_kit()
    except Exception as error:  # noqa: BLE001 - the guest's promise
        unconfigured(error)
        return _nothing(name)
    fix = nearest(name[:64], kit.experiences.all())
    kit.intake.note(DeclarationError(f'no experience is called "{name[:64]}"', fix=fix, code="CX3017"))
    return _nothing(name)


def _nothing(name: str) -> Decision:
    # Not None, which Jinja prints as such and cannot go through.
    return Decision(
        experience=name,
        variant="default",
        form="",
        content="",
        sequence="",
        fallback=True,
        reasons=("fallback: there is no such experience",),
    )
