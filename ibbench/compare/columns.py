"""What columns that several tables have mean: said once, here. A column of one table is described in its file."""

SHARED = {
    "target": "short name of the target (`ibbench targets`)",
    "unit": "unit of the target, which all errors of the row are in",
    "train_size": "molecules that a replica trains on: the number of labels",
    "model": "name of the model or baseline",
    "variant": "options in which runs of this model differ within the study, as they would be typed; often empty",
    "num_seeds": "number of seeds",
    "p_holm": "p-value after Holm's correction over the whole family of comparisons; empty without a test",
    "hydrogens": "whether hydrogens are `implicit` (counted on their atom) or `explicit` (atoms of their own)",
    "source": "the data set; a CSV of your own with a digest of its content",
    "split": "fingerprint of the division into train pool, validation and test molecules",
}


def shared(*names: str) -> dict[str, str]:
    """Return the descriptions of some columns that several tables have, in the order given."""
    return {name: SHARED[name] for name in names}


def interval(name: str, of: str) -> dict[str, str]:
    """Return the descriptions of a figure and of the two ends of its 95 % interval.

    Args:
        name: the column of the figure; those of the ends are `<name>_low` and `<name>_high`.
        of: what the figure is.
    """
    return {
        name: of,
        f"{name}_low": f"lower end of the 95 % interval of `{name}`",
        f"{name}_high": f"upper end of the 95 % interval of `{name}`",
    }
