"""Which of two classes the text of a cell names, and whether the parts of a split have molecules of both."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ibbench.errors import InputError, shorten

if TYPE_CHECKING:
    from ibbench.data.dataset import DataSet
    from ibbench.data.splits import Split

_PAIRS = (
    ("1", "0"),
    ("1.0", "0.0"),
    ("true", "false"),
    ("yes", "no"),
    ("active", "inactive"),
    ("positive", "negative"),
)
_CODES = {word: code for pair in _PAIRS for word, code in zip(pair, (1.0, 0.0), strict=True)}
_SIGNS = {"+": 1.0, "-": 0.0}  # also behind a name, such as BBB+ and BBB-
_EXPECTED = (
    ", ".join("/".join(pair) for pair in _PAIRS if pair[0] != "1.0") + ", or one name with + and with - behind it"
)
_SHOWN = 5  # values that a message names


def read_classes(texts: Iterable[str], column: str) -> dict[str, float]:
    """Find out which class each different text of a column names; capitals do not matter.

    Args:
        texts: cells of the column without white space around them, none of them empty.
        column: column and file, for messages.

    Returns:
        0 or 1 for each text.

    Raises:
        InputError: a text names no class, or all name the same one; the message says which values there are.
    """
    counts = Counter(texts)
    codes = {text: code for text in counts if (code := _CODES.get(text.lower())) is not None}
    signed = [text for text in counts if text[-1] in _SIGNS]
    # A lone `-` among other words is the usual mark of what was not measured, and no class.
    if len(signed) == len(counts) and len({text[:-1].lower() for text in signed}) == 1:
        codes |= {text: _SIGNS[text[-1]] for text in signed}
    if len(codes) < len(counts):
        odd = [text for text, _ in counts.most_common() if text not in codes]
        told = ", ".join(f"`{shorten(text, 30)}`" for text in odd[:_SHOWN])
        more = f" and {len(odd) - _SHOWN} more" if len(odd) > _SHOWN else ""
        raise InputError(f"{column} is to have two classes and has {told}{more}: expected {_EXPECTED}")
    if len(set(codes.values())) < 2:
        told = f"only {', '.join(f'`{text}`' for text in counts)}" if counts else "no value"
        raise InputError(f"{column} is to have two classes and has {told}: there is nothing to tell apart")
    return codes


def check_classes(dataset: "DataSet", split: "Split", targets: Sequence[str], seeds: Sequence[int]) -> None:
    """Check that molecules of both classes are in each part of a split that has molecules.

    Raises:
        InputError: a part has one class only, so that nothing can be learned there, or no ranking be measured.
    """
    for target in targets:
        column = dataset.column(target)
        if not dataset.targets[column].is_class:
            continue
        values = dataset.values[:, column]
        labelled = split.of_target(target)
        parts = {f"the train molecules of seed {seed}": labelled.train_subset(seed) for seed in seeds}
        parts |= {"the validation molecules": labelled.validation, "the test molecules": labelled.test}
        for name, index in parts.items():
            found = values[index][values[index].isfinite()].unique().tolist()
            if len(found) == 1:
                raise InputError(
                    f"{name} ({len(index):,}) all have {target} = {found[0]:.0f}, and both classes are needed there: "
                    "expected more molecules, or another data.split_seed or data.split"
                )


def tell_unnamed(dataset: "DataSet") -> list[str]:
    """Say which targets have only the values 0 and 1 although they are read as numbers, one sentence each."""
    told = []
    for target, values in zip(dataset.targets, dataset.values.T, strict=True):
        if not target.is_class and set(values[values.isfinite()].unique().tolist()) == {0.0, 1.0}:
            named = f"'data.classes=[{target.name}]' makes it a class"
            told.append(f"{target.name} has only the values 0 and 1, and is read as a number: {named}")
    return told
