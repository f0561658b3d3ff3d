"""The page of all options: types and bounds from the models that check them, defaults and meaning from `configs/`."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import hydra
from omegaconf import OmegaConf

from autodoc.comments import read_comments
from autodoc.markdown import code, in_words, plain, table, typed, with_words_in_place
from ibbench.models.registry import get_model
from ibbench.options.config import Config
from ibbench.options.defaults import config_folder, config_groups, default_options

_TOP = """---
search:
  boost: 2
---

# Options

Every option of `ibbench train`, and of the commands that take options as it does: given as `OPTION=VALUE`, or for a
group of options `GROUP=CHOICE`. Values with commas make a sweep; [change the
experiment](../how-to/change-the-experiment.md) shows how. This page is written from the code that checks the options
and from the comments in `configs/`.
"""
_GROUPS = {
    "data": "Which molecules, and how they are divided",
    "model": "The recipe that all models share, and what some have on top of it",
    "optimizer": "How weights are changed",
    "schedule": "How the learning rate changes while training",
    "trainer": "How long to train, and in which steps",
    "tuning": "Whether each seed looks for its own learning rate, weight decay and dropout",
}
_OTHERS = {
    "experiment": "Studies with a name of their own, whose options take the place of the defaults",
    "task": "A data set with its targets, for `experiment=generalise`; with a split: `task=[logp,scaffold_split]`",
    "variation": "The recipe with one thing altered, for `experiment=robustness` and `experiment=failure_modes`",
    "cluster": "Where runs are trained",
}


class Option(NamedTuple):
    """What the page tells of one option."""

    name: str
    kind: str
    default: str
    meaning: str

    def cells(self) -> tuple[str, ...]:
        """Return the row of the option; its name can be linked to."""
        return f'<a id="{self.name}"></a>`{self.name}`', plain(self.meaning), self.kind, self.default


def page() -> str:
    """Write the page."""
    schema = with_words_in_place(Config.model_json_schema())
    parts = [_TOP, "## The run\n", _tabulate(of_run(schema))]
    for group, title in _GROUPS.items():
        parts += [f"## `{group}`\n", f"{title}.\n", _choices(group), _tabulate(of_group(group, schema))]
    parts += ["## `rung`\n", _rung(schema)]
    for group, title in _OTHERS.items():
        parts += [f"## `{group}`\n", f"{title}.\n", _choices(group)]
    parts += _launchers()
    return "\n".join(parts)


def _tabulate(options: Iterator[Option]) -> str:
    return table(("option", "meaning", "takes", "default"), (option.cells() for option in options))


def _compose(overrides: list[str]) -> dict[str, Any]:
    with hydra.initialize_config_dir(str(config_folder()), job_name="ibbench", version_base="1.3"):
        composed = OmegaConf.to_container(hydra.compose("train", overrides), resolve=True)
    assert isinstance(composed, dict)
    return {str(name): value for name, value in composed.items()}


def of_run(schema: Mapping[str, Any]) -> Iterator[Option]:
    """Describe the options that stand in no file of a group, with those of the budget."""
    defaults, comments = _compose([]), read_comments(config_folder() / "train.yaml").options
    for name, field in schema["properties"].items():
        if name in _GROUPS or name == "rung":
            continue
        if name != "budget":
            yield Option(name, in_words(field), code(defaults[name]), comments.get(name, ""))
            continue
        for part, inner in schema["$defs"]["BudgetOptions"]["properties"].items():
            full = f"budget.{part}"
            yield Option(full, in_words(inner), code(defaults["budget"][part]), comments.get(full, ""))


def of_group(group: str, schema: Mapping[str, Any]) -> Iterator[Option]:
    """Describe the options of a group: its choices may have different ones, and different defaults."""
    choices = [choice for choice in config_groups()[group] if "/" not in choice]  # and not the rungs of the ladder
    composed = {choice: _compose([f"{group}={choice}"])[group] for choice in choices}
    composed = {choice: options for choice, options in composed.items() if options}
    comments = {choice: _comments(group, choice) for choice in composed}
    for name, fields in _fields(schema["properties"][group], schema).items():
        if name == "name":
            yield Option(f"{group}.name", ", ".join(map(code, choices)), "the choice", f"set by `{group}=CHOICE`")
            continue
        usual = {"default": fields[0]["default"]} if "default" in fields[0] else {}
        values = {choice: options.get(name, usual.get("default")) for choice, options in composed.items()}
        having = [choice for choice, options in composed.items() if name in options or usual]
        meaning = _told_by({choice: comments[choice].get(name, "") for choice in having})
        if len(having) < len(composed):
            meaning = f"Only for {', '.join(map(code, having))}: {meaning}"
        kinds = "; or ".join(dict.fromkeys(map(in_words, fields)))
        yield Option(f"{group}.{name}", kinds, _told_by({choice: code(values[choice]) for choice in having}), meaning)


def _fields(group: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """Return the schemas of each option of a group, whose choices are checked by one class or by several."""
    ways = group.get("oneOf") or group.get("anyOf") or [group]
    found: dict[str, list[Mapping[str, Any]]] = {}
    for way in ways:
        if "$ref" in way:
            for name, field in schema["$defs"][way["$ref"].rpartition("/")[2]]["properties"].items():
                if not field.get("follows"):  # from other options: no user sets it
                    found.setdefault(name, []).append(field)
    return found


def _told_by(choices: Mapping[str, str]) -> str:
    """Write a text once where all choices have the same, else with the choices that have it; leave empty ones out."""
    by_text: dict[str, list[str]] = {}
    for choice, text in choices.items():
        if text:
            by_text.setdefault(text, []).append(choice)
    if len(by_text) == 1:
        return next(iter(by_text))
    return "; ".join(f"{text} ({', '.join(map(code, having))})" for text, having in by_text.items())


def _comments(group: str, choice: str) -> dict[str, str]:
    own = read_comments(config_folder() / group / f"{choice}.yaml").options
    return read_comments(config_folder() / "recipe/shared.yaml").options | own if group == "model" else own


# The ladders by the folders of their rungs.
_LADDERS = {
    "ladder": "[the ladder](../how-to/ladder.md)",
    "soft": "[symmetry by degrees](../explanation/soft-symmetry.md)",
    "failure": "[what makes a training work](../explanation/overparameterised.md)",
}


def _choices(group: str) -> str:
    rows = [(f"`{group}={choice}`", _about(group, choice)) for choice in config_groups()[group]]
    return table(("choice", "what it is"), rows)


def _about(group: str, choice: str) -> str:
    path = config_folder() / group / f"{choice}.yaml"
    if rung := default_options(group, choice).get("rung"):
        after = f", after `{rung['after']}`" if rung.get("after") else ""
        return f"rung {rung['number']} of {_LADDERS[choice.partition('/')[0]]}{after}: {rung['adds']}"
    if header := read_comments(path).header:
        return plain(header)
    if group == "model":
        return (get_model(choice).__doc__ or "").partition("\n")[0]
    if group in {"optimizer", "schedule"}:
        return _docstring(Config.model_json_schema(), choice)
    return ", ".join(code(f"{name}={typed(value)}") for name, value in _leaves(default_options(group, choice)))


def _docstring(schema: Mapping[str, Any], choice: str) -> str:
    """Return what the class that checks an optimizer or a schedule says of itself."""
    for part in schema["$defs"].values():
        name = part.get("properties", {}).get("name", {})
        if choice in (name.get("const"), *name.get("enum", ())):
            return str(part["description"])
    return ""


def _leaves(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """List what a file sets, with dots between the parts of names."""
    for name, value in content.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        elif name != "defaults":
            yield f"{prefix}{name}", value


def _rung(schema: Mapping[str, Any]) -> str:
    part = schema["$defs"]["RungOptions"]
    rows = [
        Option(f"rung.{name}", in_words(field), "set by `model=ladder/...`", field.get("description", ""))
        for name, field in part["properties"].items()
    ]
    return f"{part['description']}\n\n{_tabulate(iter(rows))}"


def _launchers() -> Iterator[str]:
    """Tabulate what the files of clusters set of Hydra's launchers."""
    for choice in config_groups()["cluster"]:
        path = config_folder() / "cluster" / f"{choice}.yaml"
        comments = read_comments(path).options
        rows = [
            (f"`{name}`", plain(comments.get(name, "")), code(value))
            for name, value in _leaves(default_options("cluster", choice))
            if name.startswith("hydra.launcher.")
        ]
        if rows:
            yield f"### With `cluster={choice}`\n"
            yield table(("option", "meaning", "default"), rows)
