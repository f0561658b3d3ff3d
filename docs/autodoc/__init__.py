"""Pages of the reference that are written from the code when the site is built, so that they say what it does."""

from collections.abc import Callable

from autodoc import api, columns, commands, options

PAGES: dict[str, Callable[[], str]] = {
    "reference/options.md": options.page,
    "reference/commands.md": commands.page,
    "reference/columns.md": columns.page,
    "reference/api.md": api.page,
}
