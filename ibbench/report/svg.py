"""SVG as part of an HTML page: small, without what a page of its own needs, and with ids that no other picture has."""

import base64
import io
import re
from typing import NamedTuple
from xml.etree import ElementTree as ET

from PIL import Image

_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_HREF = f"{{{_XLINK}}}href"
_PNG = "data:image/png;base64,"
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_SHADES = 16  # colours of a picture within a picture, which are shades of grey where we draw one
_PIXELS_PER_POINT = 4 / 3
ET.register_namespace("", _SVG)
ET.register_namespace("xlink", _XLINK)


class Inline(NamedTuple):
    """An SVG element for an HTML page, and how wide it is drawn, in CSS pixels."""

    text: str
    width: int


def inline(svg: str, prefix: str, label: str) -> Inline:
    """Prepare a whole SVG file as an element of an HTML page.

    Metadata, styles for the whole page and ids that nothing refers to are left out; images have fewer colours.

    Args:
        svg: the text of the file.
        prefix: what its ids begin with, so that no two pictures of a page have the same.
        label: what it shows, for who cannot see it.
    """
    root = ET.fromstring(re.sub(r"<!DOCTYPE[^>]*>", "", svg))
    for parent in list(root.iter()):
        for child in list(parent):
            if _name(child) in {"metadata", "style", "title", "desc"}:
                parent.remove(child)
    used = _find_references(root)
    for element in root.iter():
        _keep_svg_attributes(element)
        _rename(element, used, prefix)
        if element.get(_HREF, "").startswith(_PNG):
            element.set(_HREF, _shrink(element.get(_HREF, "")))
    width = _width(root)
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    # What matplotlib says in a style of the whole page.
    root.set("style", "stroke-linejoin:round;stroke-linecap:butt")
    root.set("role", "img")
    root.set("aria-label", label)
    return Inline(ET.tostring(root, encoding="unicode"), width)


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _find_references(root: ET.Element) -> set[str]:
    found = set()
    for element in root.iter():
        for name, value in element.attrib.items():
            found |= {value[1:]} if name in {_HREF, "href"} and value.startswith("#") else set()
            found |= set(_REFERENCE.findall(value))
    return found


def _keep_svg_attributes(element: ET.Element) -> None:
    """Leave out attributes of other programs, such as RDKit's, and the space that XML wants kept."""
    for name in [name for name in element.attrib if name.startswith("{") and name != _HREF]:
        del element.attrib[name]


def _rename(element: ET.Element, used: set[str], prefix: str) -> None:
    if element.attrib.get("id") in used:
        element.set("id", prefix + element.attrib["id"])
    else:
        element.attrib.pop("id", None)
    for name, value in element.attrib.items():
        if name in {_HREF, "href"} and value.startswith("#"):
            element.set(name, f"#{prefix}{value[1:]}")
        elif "url(#" in value:
            element.set(name, _REFERENCE.sub(rf"url(#{prefix}\1)", value))


def _shrink(data: str) -> str:
    """Write an image with so few colours that it takes a fifth of the bytes, as many as shades of grey need."""
    image = Image.open(io.BytesIO(base64.b64decode(data.removeprefix(_PNG))))
    content = io.BytesIO()
    image.quantize(_SHADES, method=Image.Quantize.FASTOCTREE).save(content, "png", optimize=True)
    small = _PNG + base64.b64encode(content.getvalue()).decode()
    return min(data, small, key=len)


def _width(root: ET.Element) -> int:
    """Return the width in pixels: matplotlib gives it in points, RDKit in pixels."""
    number, unit = re.fullmatch(r"([\d.]+)([a-z]*)", root.get("width", "")).groups()  # type: ignore[union-attr]
    return round(float(number) * (_PIXELS_PER_POINT if unit == "pt" else 1))
