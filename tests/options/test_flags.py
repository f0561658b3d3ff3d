"""What Hydra would take and ignore is refused, on the command line and in a config file."""

from pathlib import Path

import pytest

from ibbench.commands.train import run_sweep
from ibbench.errors import InputError
from ibbench.options.flags import check_flags


@pytest.mark.parametrize(
    "arguments",
    [
        ["--cfg", "hydra", "--package", "hydra.launcher"],
        ["--cfg=job", "model=gnn"],
        ["--info"],
        ["-m", "hydra.mode=RUN"],
        [
            "+hydra.job.env_set.A=1",
            "hydra.launcher.x=2",
            "hydra/launcher=basic",
            "hydra.sweeper.params.model=gnn",
        ],
        ["hydra.searchpath=[file://here]", "--config-dir", "here"],
    ],
)
def test_what_has_an_effect_is_taken(arguments: list[str]) -> None:
    refused = None
    try:
        check_flags(arguments)
    except InputError as error:
        refused = str(error)
    assert refused is None


@pytest.mark.parametrize("argument", ["hydra.job.num=3", "hydra.sweep.subdir=x", "hydra.help.header=x", "--experiment"])
def test_what_has_none_is_refused(argument: str) -> None:
    with pytest.raises(InputError):
        check_flags([argument])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("job: {chdir: true}", "`hydra.job.chdir=true` is not possible: paths are relative to the folder where"),
        ("run: {dir: foo}", "`hydra.run.dir=foo` is not possible: the folder of a study is results_dir/name"),
        ("output_subdir: foo", "`hydra.output_subdir=foo` is not possible"),
    ],
)
def test_a_config_file_cannot_move_a_study(
    lines: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(f"# @package _global_\nhydra:\n  {lines}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["ibbench"])
    with pytest.raises(SystemExit) as left:
        run_sweep([f"hydra.searchpath=[file://{tmp_path}]", "experiment=mine"])
    assert left.value.code == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["experiment"]


def test_help_can_be_pasted_into_any_shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["ibbench"])
    with pytest.raises(SystemExit) as left:
        run_sweep(["--help"])
    assert left.value.code in {0, None}
    commands = [line for line in capsys.readouterr().out.splitlines() if line.strip().startswith("ibbench train ")]
    assert any("[" in line for line in commands)
    for line in commands:  # zsh takes a bracket outside of quotes for a pattern of file names
        assert "[" not in "".join(line.split("'")[::2])
