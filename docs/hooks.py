"""Lets the pages show the pictures of results/, which lie beside docs/ in the repository."""

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files


def on_files(files: Files, config: Any) -> Files:
    """Add the pictures of the committed studies to the site."""
    root = Path(config["config_file_path"]).parent
    for picture in sorted(root.glob("results/*/*.png")):
        files.append(File.generated(config, str(picture.relative_to(root)), abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Let links that are right in the repository be right in the site."""
    return markdown.replace("](../../results/", "](../results/")
