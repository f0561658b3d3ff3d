"""README, documentation and results/ say the same, as git has them: run by `make claims`."""

import re

import pytest

from tests.committed import committed_files, committed_text

pytestmark = pytest.mark.claims
TABLE = re.compile(r"<!-- (results/\S+?)(?:, \w+)? -->\n(.*?)<!-- end -->", re.DOTALL)


def _pages() -> dict[str, str]:
    names = ["README.md", *(name for name in committed_files("docs") if name.endswith(".md"))]
    return {name: committed_text(name) for name in names}


def test_shown_tables_are_the_committed_ones() -> None:
    found = [(page, *match) for page, text in _pages().items() for match in TABLE.findall(text)]
    assert len(found) >= 8
    for page, source, shown in found:
        assert shown.strip(), page
        assert shown.strip() in committed_text(source), f"{page} shows other figures than {source}"


def test_shown_pictures_are_committed() -> None:
    pictures = {name for name in committed_files("results") if name.endswith(".png")}
    shown = {name for text in _pages().values() for name in re.findall(r"!\[.*?\]\((?:\.\./)*(results/.*?)\)", text)}
    assert shown
    assert shown <= pictures
