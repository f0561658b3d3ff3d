"""What a user types is what an option gets, or a sentence says what to type instead."""

import os
import re
from collections.abc import Callable

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from ibbench.commands.train import run_sweep
from ibbench.errors import InputError
from ibbench.options.compose import compose_config
from ibbench.options.config import Config, read_config
from ibbench.options.typed import as_hydra_reads

CSV = ["data=csv", "data.path=my.csv"]
PROPERTY = settings(
    max_examples=20,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
# Any text, and texts of what means something to a parser, numbers above all.
ANY = st.text(st.characters(), max_size=12) | st.text("0123456789_.,eE+-[]{}()'\"\\ :=~$*/aé١", max_size=12)


# Text that needs no quotes of its own on the command line: no sweep, no list, nothing that stands for something else.
PLAIN = st.text(st.characters(exclude_characters="\0,'\"[]{}$\\", exclude_categories=["Cs"]), min_size=1, max_size=12)


@given(name=PLAIN | st.from_regex(r"[-+0-9_.eE]+", fullmatch=True))
@example(name="2024_05_01")
@example(name="1.10")
@example(name="true")
@example(name="größe")
@example(name="a (b)")
@example(name="a=b")
@settings(PROPERTY, max_examples=100)
def test_a_name_keeps_its_spelling(name: str) -> None:
    assume(name == name.strip() and name and name != "null" and not re.match(r"\w+\s*\(.*\)", name, re.DOTALL))
    read = as_hydra_reads([f"name={name}"])
    assert OverridesParser.create().parse_override(read[0]).value() == name
    assert as_hydra_reads(read) == read


@pytest.mark.parametrize("name", ["2024_05_01", "größe", "it's", '"a', "no (b)"])
def test_a_study_has_the_name_that_was_typed(name: str, config: Callable[..., Config]) -> None:
    assert config(f"name={name}").name == name


def test_columns_and_units_keep_their_spelling(config: Callable[..., Config]) -> None:
    columns = ["1.10", "1_000", "log S", "größe"]
    units = '{"log S": log(mol/L), 1_000: "a, b", größe: µm}'
    read = config(*CSV, f"data.target_columns=[{','.join(columns)}]", "targets=[1.10]", f"data.units={units}")
    assert read.data.target_columns == tuple(columns)
    assert read.targets == ("1.10",)
    assert read.data.units == {"log S": "log(mol/L)", "1_000": "a, b", "größe": "µm"}


def test_the_home_folder_is_found(config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    read = config("data=csv", "data.path=~/my.csv", "data.target_columns=[y]", "results_dir=~/results")
    assert (read.data.path, read.results_dir) == ("/home/me/my.csv", "/home/me/results")


@pytest.mark.parametrize(
    "argument",
    ["model=gnn,mlp", "seeds=range(0,3)", "targets=[gap,mu]", "name=${model.name}", "data.path=a.csv,b.csv", "~rung",
     "model=glob(*)", "data.train_size=null", "data.units={a:eV}", "name='1.10'", "cluster=slurm", "hydra/launcher=a",
     "data.path=choice(a.csv,b.csv)", "data.path=null", "--cfg=job", "++trainer.epochs=1_000"],
)  # fmt: skip
def test_what_hydra_reads_as_it_stands_is_left_alone(argument: str) -> None:
    assert as_hydra_reads([argument]) == [argument]


@pytest.mark.parametrize("group", ["experiment=ladder", "cluster=slurm", "variation=base", "experiment=[ladder,tiny]"])
def test_a_group_may_be_given_with_the_plus_that_it_once_needed(group: str) -> None:
    assert as_hydra_reads([f"+{group}"]) == as_hydra_reads([group]) == [group]


@pytest.mark.parametrize("plus", ["", "+"])
def test_one_of_two_experiments_is_not_left_out(plus: str) -> None:
    with pytest.raises(InputError, match=r"'experiment=\[ladder,tiny\]'"):
        as_hydra_reads([f"{plus}experiment=ladder", "experiment=tiny"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": 20240501}, "`name=20240501` is not possible: in a file, a name that looks like a number stands in"),
        ({"name": 1.1}, "in quotes"),
        ({"results_dir": "~/results"}, "${oc.env:HOME}"),
    ],
)
def test_a_config_file_that_lost_the_spelling_is_refused(
    options: dict[str, object], message: str, config: Callable[..., Config]
) -> None:
    with pytest.raises(InputError) as caught:
        read_config(config().model_dump() | options)
    assert message in str(caught.value)


def test_long_values_are_cut_in_messages() -> None:
    with pytest.raises(InputError) as caught:
        compose_config([f"name={'a' * 10_000}", f"trainer.epochs={'b' * 10_000}"])
    assert len(str(caught.value)) < 400


@given(
    option=st.sampled_from(
        ["name", "results_dir", "targets", "seeds", "model", "trainer.epochs", "data.test_size", "data.units"]
    ),
    value=ANY,
)
@example(option="seeds", value="[" * 2000)
@example(option="seeds", value="range(0,1e12)")
@example(option="name", value="\ud800")
@PROPERTY
def test_any_value_is_read_or_refused_in_a_few_words(option: str, value: str, config: Callable[..., Config]) -> None:
    try:
        config("data=csv", "data.path=a.csv", "data.target_columns=[y]", f"{option}={value}")
    except InputError as error:
        assert "Error" not in str(error).replace(value, "")
        assert len(str(error)) < 400


@given(option=st.sampled_from(["name", "model", "seeds", "budget.value", "hydra.mode"]) | ANY, value=ANY)
@settings(PROPERTY, max_examples=12)
def test_a_command_with_any_option_leaves_by_an_exit_code(
    option: str, value: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["ibbench"])
    arguments = [f"{option}={value}", "budget=null", "model.width=8", "data.train_size=50"]
    try:
        run_sweep(arguments, dry_run=True)
    except SystemExit as left:
        assert left.code in {0, 1, 2, 130}
    printed = capsys.readouterr()
    assert "Traceback" not in printed.out + printed.err
    assert os.environ.pop("IBBENCH_COMMAND", "")
