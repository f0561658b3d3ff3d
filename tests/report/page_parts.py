"""What a test asks of an HTML page: its elements, ids, texts and addresses, by the parser of Python."""

from collections import Counter
from html.parser import HTMLParser

_VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """A page, parsed.

    Attributes:
        tags: how many elements there are of each kind.
        ids: all of them, in order.
        texts: the text of each element that has any, but for style and script.
        loaded: addresses that a browser would load by itself.
        links: addresses that a reader may follow.
        rows: the cells of the rows of tables, as text and `data-value`.
    """

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.texts: list[str] = []
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.rows: list[list[tuple[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(content)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        values = dict(attrs)
        assert len(values) == len(attrs), attrs
        if "id" in values:
            self.ids.append(values["id"] or "")
        for name in ("src", "href", "xlink:href"):
            if value := values.get(name):
                (self.links if tag == "a" else self.loaded).append(value)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append(("", values.get("data-value")))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in {"style", "script"} and data.strip():
            self.texts.append(" ".join(data.split()))
            if {"td", "th"} & set(self._open):
                text, value = self.rows[-1][-1]
                self.rows[-1][-1] = text + data.strip(), value
