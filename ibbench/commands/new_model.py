"""`ibbench new-model`: the file of a model of one's own, which trains as it is, and a test of it."""

import importlib.resources
import importlib.util
import sys
from pathlib import Path

from rich.console import Console

from ibbench.baselines import baseline_names
from ibbench.errors import InputError
from ibbench.files import write_atomically
from ibbench.models import model_names
from ibbench.plugins.registry import check_name
from ibbench.report import screen
from ibbench.report.document import Remark

_TEMPLATES = {"{name}.py": "model.py.jinja", "test_{name}.py": "test_model.py.jinja"}


def write_model(name: str, folder: Path, console: Console) -> None:
    """Write the file of a model and its test into a folder, and say what to do with them.

    Args:
        name: the name of the new model, as `model=NAME` will choose it.
        folder: an existing folder.
        console: the terminal to print on.

    Raises:
        InputError: the name cannot be that of a model or of a file of Python, or one of the files is there already.
            Nothing is written.
    """
    check_name("model", name)
    files = {folder / file.format(name=name): template for file, template in _TEMPLATES.items()}
    there = [path.name for path in files if path.exists()]
    if there:
        raise InputError(f"{' and '.join(there)} would be replaced: expected another name, or another folder")
    _refuse_taken(name)
    for path, template in files.items():
        write_atomically(path, _render(template, name))
    steps = f"pytest test_{name}.py", f"ibbench train 'plugins=[{name}.py]' model=mlp,{name} name=with_{name}"
    told = f"Written: {', '.join(path.name for path in files)}. They work as they are; next:"
    screen.show([Remark(told), *(Remark(f"  {step}") for step in steps)], console, fold=False)


def _refuse_taken(name: str) -> None:
    if name in model_names():
        raise InputError(f"`{name}` is a model already: expected another name")
    if name in baseline_names():
        raise InputError(f"`{name}` is the name of a baseline: expected another one")
    if name in sys.stdlib_module_names or importlib.util.find_spec(name) or not _is_free(name):
        raise InputError(f"`{name}` is a word or a module of Python, which {name}.py would hide: expected another name")


def _is_free(word: str) -> bool:
    import keyword

    return not (keyword.iskeyword(word) or keyword.issoftkeyword(word))


def _render(template: str, name: str) -> str:
    from jinja2 import Environment, StrictUndefined

    text = importlib.resources.files("ibbench.plugins").joinpath("template", template).read_text(encoding="utf-8")
    title = "".join(part.capitalize() for part in name.split("_"))
    return Environment(undefined=StrictUndefined, keep_trailing_newline=True).from_string(text).render(
        name=name, title=title
    )  # fmt: skip
