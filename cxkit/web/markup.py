"""HTML of our own: what it is made of, and what a template engine must not escape."""

from __future__ import annotations

from html import escape

__all__ = ["Html", "element", "hidden"]


class Html(str):
    """HTML that is safe as it stands: Jinja and Django ask for ``__html__``, and do not escape it again.

    Whatever is joined to it is plain text again, and escaped.

    Example:
        >>> Html("<p>").__html__()
        '<p>'
        >>> type(Html("<p>") + "<script>").__name__
        'str'
    """

    __slots__ = ()

    def __html__(self) -> str:
        return str(self)


def element(name: str, content: str = "", /, **attributes: str | bool | None) -> str:
    """An element; its content is HTML already, its attributes are not.

    Args:
        attributes: Those that are None or False are left out; of their names ``_`` is ``-``, and one at the end
            goes.

    Example:
        >>> element("p", element("b", "x"), class_="a", title='"', hidden=True)
        '<p class="a" title="&quot;" hidden><b>x</b></p>'
    """
    given = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return f"<{name}{given}>" + ("" if name in ("input", "link", "meta") else f"{content}</{name}>")


def hidden(name: str, value: str | None) -> str:
    """A field that is sent along; nothing where there is no value."""
    return "" if value is None else element("input", type="hidden", name=name, value=value)
