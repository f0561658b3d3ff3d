"""What the site has beside the pages: pictures of results/, notebooks, and the reference written from the code."""

import json
import re
from pathlib import Path
from typing import Any

from autodoc import PAGES
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page


def on_files(files: Files, config: Any) -> Files:
    """Add the pictures of the committed studies to the site, and the pages that are written from the code."""
    root = Path(config["config_file_path"]).parent
    for picture in sorted(root.glob("results/*/*.png")):
        files.append(File.generated(config, str(picture.relative_to(root)), abs_src_path=str(picture)))
    for notebook in sorted((root / "docs").rglob("*.ipynb")):
        page = notebook.relative_to(root / "docs").with_suffix(".md").as_posix()
        files.append(File.generated(config, page, content=as_page(json.loads(notebook.read_text()))))
    for name, write in PAGES.items():
        files.append(File.generated(config, name, content=write()))
    return files


def as_page(notebook: dict[str, Any]) -> str:
    """Write a notebook, with what its cells gave when it was run, as Markdown."""
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        parts += [_show(output) for output in cell.get("outputs", [])]
    return "\n\n".join(parts) + "\n"


def _show(output: dict[str, Any]) -> str:
    data = output.get("data", {})
    if "text/html" in data:  # as the site shows other tables and pictures
        page = re.sub(r"<style.*?</style>", "", "".join(data["text/html"]), flags=re.DOTALL)
        return page.replace(' border="1" class="dataframe"', "")
    text = output.get("text") or data["text/plain"]
    return f"```text\n{''.join(text).rstrip()}\n```"


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Let links that are right in the repository be right in the site, where a notebook has a page."""
    own = Path(page.file.src_uri).stem  # this page offers the notebook itself
    markdown = re.sub(r"(\w+)\.ipynb\)", lambda link: link[0] if link[1] == own else f"{link[1]}.md)", markdown)
    return markdown.replace("](../../results/", "](../results/")
