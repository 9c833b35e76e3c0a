# SPDX-License-Identifier: MIT
"""HTML and SVG as text that escapes itself: a plain ``str`` is always escaped."""

import html
import re

__all__ = ["Markup", "element", "figure", "formatted", "join", "shortened", "visible"]

_DERIVED = re.compile(r"_(?:DFF|LUT|ALU|MUX)[A-Z0-9]*_.*|_passthrough_lut\$$", re.DOTALL)


class Markup(str):
    """Text that is markup already. Only this module and fixed text of ours make it."""

    __slots__ = ()


def element(name: str, /, *content: str, **attributes: object) -> Markup:
    """``<name attributes>content</name>``.

    Strings in ``content`` and all attribute values are escaped; ``Markup`` stays. Underscores in
    attribute names become hyphens, one at the end goes (``class_``); a value of None omits the
    attribute; floats are written short.
    """
    shown = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(_value(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{shown}>{join(*content)}</{name}>")


def join(*content: str) -> Markup:
    """The parts one after the other, escaped where they are not markup."""
    return Markup(
        "".join(
            part if isinstance(part, Markup) else html.escape(visible(part)) for part in content
        )
    )


def figure(name: str, title: str, picture: str, caption: str) -> Markup:
    """One picture of the page: heading, picture, and a caption that explains it."""
    return element(
        "figure",
        element("h2", title, id=f"{name}-title"),
        element("div", picture, class_="picture"),
        element("figcaption", caption),
        id=name,
        aria_labelledby=f"{name}-title",
    )


def formatted(value: float) -> str:
    """A coordinate with at most four significant digits."""
    return f"{value:.4g}"


def visible(text: str) -> str:
    """``text`` with control and direction characters shown as the replacement character."""
    return "".join(
        char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in text
    )


def shortened(name: str, limit: int = 64) -> str:
    """A name of the netlist without what synthesis appended, its middle left out when long."""
    origin = _DERIVED.sub("", name) or name
    if len(origin) <= limit:
        return origin
    half = (limit - 1) // 2
    return f"{origin[:half]}…{origin[-half:]}"


def _value(value: object) -> str:
    return formatted(value) if isinstance(value, float) else visible(str(value))
