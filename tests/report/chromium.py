"""A real browser without a window: Chromium of the system, which is not fetched by a test."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextlib.contextmanager
def running_chromium() -> "Iterator[Browser]":
    """Start a browser, and end it whatever happens; skip the tests where none is installed, but never in CI."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        reason = f"no browser is installed: expected one of {', '.join(_NAMES)}, such as from: apt install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])  # which root needs
        try:
            yield browser
        finally:
            browser.close()
