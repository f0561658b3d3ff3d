"""One clear message, exit code 2, nothing started."""

from pathlib import Path

import pytest
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins

from ibbench.commands.train import run_sweep

CASES = {
    "misspelt key": (["trainer.epoch=3"], "`trainer.epoch` is not an option: did you mean `trainer.epochs`"),
    "misspelt group": (["modle=gnn"], "`modle` is not an option: did you mean `model`"),
    "added key": (["+trainer.momentum=1"], "`trainer.momentum` is not an option"),
    "unknown model": (["model=gnnn"], "`model=gnnn` is not possible: did you mean `gnn`?"),
    "unknown model in a sweep": (["model=mlp,gnnn"], "`model=gnnn` is not possible: did you mean `gnn`?"),
    "unknown optimizer": (["optimizer=adamv"], "`optimizer=adamv` is not possible: did you mean"),
    "unknown experiment": (["experiment=standart"], "`experiment=standart` is not possible: did you mean `standard`?"),
    "unknown experiment with a plus": (["+experiment=standart"], "did you mean `standard`?"),
    "two experiments": (["experiment=ladder", "+experiment=tiny"], "expected once, such as 'experiment=[ladder,tiny]'"),
    "unknown one of several": (
        ["task=[logp,scafold_split]"],
        "`task=[scafold_split]` is not possible: did you mean `scaffold_split`",
    ),
    "unknown target": (["targets=[gapp]"], "`targets=[gapp]` is not a target of this data set: did you mean `gap`"),
    "no target": (["targets=[]"], "`targets=[]` is not possible"),
    "unknown value": (["precision=float16"], "`precision=float16` is not possible: did you mean"),
    "precision of a GPU": (["precision=tf32", "device=cpu"], "`precision=tf32` needs a CUDA device"),
    "empty pack": (
        ["trainer.replicas_per_pack=0"],
        "`trainer.replicas_per_pack=0` is not possible: expected `auto`, or a whole number greater than 0",
    ),
    "unknown loss": (["loss=l3"], "`loss=l3` is not possible: expected one of: l1, mse, huber"),
    "negative learning rate": (
        ["optimizer.lr=-1"],
        "`optimizer.lr=-1` is not possible: input should be greater than 0",
    ),
    "negative value in a sweep": (["trainer.epochs=1,-1"], "`trainer.epochs=-1` is not possible"),
    "text for a number": (
        ["trainer.epochs=many"],
        "`trainer.epochs=many` is not possible: input should be a valid integer",
    ),
    "two mistakes at once": (["optimizer.lr=-1", "loss=l3"], "`optimizer.lr=-1`", "`loss=l3`"),
    "train size": (
        ["data.train_size=200000"],
        "`data.train_size=200000` is not possible: of 130,831 molecules, 115,831",
    ),
    "missing file": (
        ["data=csv", "data.path=no.csv", "data.target_columns=[y]", "targets=[y]"],
        "`data.path=no.csv` cannot be read: No such file",
    ),
    "csv without a path": (["data=csv", "data.target_columns=[y]"], "data.source=csv also needs data.path"),
    "csv option for qm9": (["data.path=my.csv"], "data.path: only for data.source=csv"),
    "no seeds": (["seeds=null"], "`seeds=null` is not possible: input should be a valid integer"),
    "seeds in a list": (["seeds=[[0]]"], "`seeds=[0]` is not possible"),
    "list for a name": (["model.name=[gnn]"], "`model.name=['gnn']` is not possible: input should be a valid string"),
    "no model": (["model=null"], "a group takes the name of one of its choices"),
    "nesterov without momentum": (
        ["optimizer=sgd_momentum", "optimizer.momentum=0", "optimizer.nesterov=true"],
        "optimizer.nesterov=true needs an optimizer.momentum above 0",
    ),
    "patience for the last weights": (
        ["trainer.keep=last", "trainer.patience=3"],
        "trainer.patience stops a replica after its best validation: it needs trainer.keep=best",
    ),
    "unknown labels": (["data.labels=shufled"], "`data.labels=shufled` is not possible: did you mean `shuffled`"),
    "negative noise": (["data.label_noise=-0.5"], "`data.label_noise=-0.5` is not possible"),
    "sam without a distance": (["optimizer=sam", "optimizer.rho=0"], "`optimizer.rho=0` is not possible"),
    "unknown name in a group": (["optimizer.name=sdg"], "`optimizer.name=sdg` is not possible: did you mean `sgd`"),
    "option of another optimizer": (["optimizer.name=sgd"], "`optimizer.beta1` is not an option of the choice made"),
    "folder that cannot be made": (["results_dir=/dev/null/here"], "/dev/null/here/quick cannot be written: Not a dir"),
    "repeated seed": (["seeds=[0,0]"], "names the same entry twice"),
    "swept study": (["name=one,two"], "`name` and `results_dir` cannot be swept"),
    "name with a slash": (["name=../up"], "`name=../up` is not possible: must be a plain folder name"),
    "width and budget": (["model.width=64"], "give them together with budget=null"),
    "impossible budget": (["budget.value=10"], "`budget.value=10` parameters cannot be met by mlp"),
    "unknown device": (["device=tpu"], "`device=tpu` is not possible: expected auto, cpu, cuda, cuda:N or cuda:all"),
    "absent device": (["device=cuda:77"], "`device=cuda:77` is not possible"),
    "option of another model": (
        ["model.heads=8"],
        "`model.heads` is not an option of every choice of `model` in this command: expected model=gat,",
    ),
    "flops that no width has": (
        ["budget.match=flops", "budget.value=10", "model=gat"],
        "`budget.value=10` flops cannot be met by gat",
    ),
    "unknown budget": (["budget.match=watts"], "`budget.match=watts` is not possible: expected one of: parameters"),
    "seconds of less than a batch": (
        ["budget.match=seconds", "budget.value=1e-3", "data.train_size=20", "model=mlp"],
        "budget.match=seconds times whole batches",
    ),
    "even window": (["model=cnn", "model.kernel_size=4"], "`model.kernel_size=4` is not possible: must be odd"),
    "one radial function": (
        ["model=gnn", "model.num_radial=1"],
        "`model.num_radial=1` is not possible: input should be greater than or equal to 2",
    ),
    "bonds altered for a model without": (
        ["model=deep_sets", "data.graph=empty"],
        "`data.graph=empty` alters bonds, which `model=deep_sets` does not read",
    ),
    "atoms relabelled for a model of strings": (
        ["model=cnn", "data.augmentation=relabel"],
        "`data.augmentation=relabel` alters atoms, which `model=cnn` does not read",
    ),
    "a price on a symmetry that a model has": (
        ["model=gnn", "trainer.symmetry_penalty=2"],
        "`trainer.symmetry_penalty=2` changes nothing for `model=gnn`",
    ),
    "a price on what a model of strings cannot see": (
        ["model=rnn", "trainer.symmetry_penalty=0.5"],
        "`trainer.symmetry_penalty=0.5` alters atoms, which `model=rnn` does not read",
    ),
    "a value for what each seed draws": (
        ["tuning=halving", "optimizer.lr=0.001"],
        "`optimizer.lr=0.001` is drawn by each seed: expected a range, such as 'tuning.lr=[low,high]'",
    ),
    "unknown graph": (["data.graph=rewire"], "`data.graph=rewire` is not possible: did you mean `rewired`"),
    "unknown rung": (["model=ladder/gan"], "`model=ladder/gan` is not possible: did you mean"),
    "unbalanced bracket": (["targets=[gap"], "`targets=[gap` cannot be read"),
    "unknown cluster": (["cluster=slrum"], "`cluster=slrum` is not possible: did you mean `slurm`"),
    "no option": (["=3"], "`=3` names no option: expected OPTION=VALUE, such as trainer.epochs=3"),
    "no value": (["trainer.epochs"], "`trainer.epochs` gives no value: expected OPTION=VALUE"),
    "no group of an option": (["lr=0.1"], "`lr` is not an option: did you mean `optimizer.lr`"),
    "option like no other": (["zzz=0"], "`zzz` is not an option: `ibbench train --help` lists them"),
    "option in other letters": (["größe=3"], "`größe` is not an option"),
    "digits of another script": (["trainer.epochs=١٠"], "`trainer.epochs=١٠` is not possible: input should be a valid"),
    "digits of another script in a list": (["seeds=[١]"], "`seeds=١` is not possible: input should be a valid"),
    "range in a list": (["seeds=[range(0,3)]"], "a range stands without brackets, as in 'seeds=range(0,3)'"),
    "range without an end": (["seeds=range(0,3,0)"], "`seeds=range(0,3,0)` is not possible: range() arg 3 must not be"),
    "range of millions": (["data.split_seed=range(0,1e9)"], "means more than 10,000 values"),
    "one model twice": (["model=gnn,gnn"], "this sweep has `model=gnn` twice: leave one out"),
    "one value twice": (
        ["model=mlp", "optimizer.lr=1e-3,0.001"],
        "this sweep has `model=mlp optimizer.lr=0.001` twice",
    ),
    "columns as a sweep": (
        ["data=csv", "data.target_columns=y1,y2", "targets=y1,y2"],
        "`data.target_columns=y1,y2` would be a run for each column: expected 'data.target_columns=[y1,y2]'",
    ),
    "address for a file": (
        ["data=csv", "data.path=https://x.org/a.csv", "data.target_columns=[y]"],
        "`data.path=https://x.org/a.csv` is not possible: this is an address: download the file",
    ),
    "one molecule or all": (
        ["data.test_size=1.0"],
        "`data.test_size=1.0` is not possible: expected 1 for one molecule, or a fraction below 1",
    ),
    "neither size nor fraction": (["data.validation_size=2.5"], "expected a whole number of molecules above 0, or a"),
    "neither auto nor a number": (["trainer.replicas_per_pack=many"], "expected `auto`, or a whole number greater"),
    "atoms relabelled for a model that cannot notice": (
        ["model=gnn", "data.augmentation=relabel"],
        "`data.augmentation=relabel` changes nothing for `model=gnn`",
    ),
    "statistics of one molecule": (
        ["model.normalisation=batch", "trainer.batch_size=1"],
        "model.normalisation=batch needs a trainer.batch_size of at least 2",
    ),
    "statistics of all one molecules": (
        ["model=mlp", "model.normalisation=batch", "data.train_size=1"],
        "model.normalisation=batch needs a data.train_size of at least 2",
    ),
    "seconds for a whole training": (
        ["budget.match=seconds", "budget.value=10"],
        "budget.value=10 with budget.match=seconds is for one molecule of one step: expected at most 0.1",
    ),
    "package of nothing": (["-p", "x"], "`--package` says which part `--cfg` is to show"),
    "misspelt flag": (["--dry-rum"], "`--dry-rum` is not a flag: did you mean `--dry-run`"),
    "flag without effect": (["--run"], "`--run` is not possible: expected hydra.mode=RUN"),
    "folder of a run": (["hydra.run.dir=foo"], "`hydra.run.dir=foo` is not possible: the folder of a study is"),
    "folder of Hydra's": (["hydra.output_subdir=x"], "the folder of a study is results_dir/name"),
    "other folder": (["hydra.job.chdir=true"], "paths are relative to the folder where the command is run"),
    "no launcher": (["hydra.launcher=foo"], "`hydra.launcher=foo` is not possible: expected cluster=NAME"),
    "absent interpolation": (["targets=${x}"], "`targets` is not possible: Interpolation key 'x' not found"),
    "absent interpolation of Hydra's": (["optimizer.lr=${hydra.job.num}"], "`optimizer.lr` is not possible"),
    "interval": (["optimizer.lr=interval(0,1)"], "a sweep needs single values"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_one_message_and_starts_nothing(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, *expected = CASES[case]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["ibbench"])
    with pytest.raises(SystemExit) as caught:
        run_sweep(arguments)
    printed = capsys.readouterr()
    assert caught.value.code == 2
    for text in expected:
        assert text in printed.err
    assert "Traceback" not in printed.err + printed.out
    assert len(printed.err.splitlines()) <= len(expected) + 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("cluster", "launcher", "extra"),
    [("slurm", "ibbench_slurm", "cluster"), ("ray", "ray", "ray")],
)
def test_an_extra_that_is_missing_is_named_with_the_command_that_installs_it(
    cluster: str,
    launcher: str,
    extra: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["ibbench"])
    Plugins.instance()  # looks for plugins once, and has them enter what they offer
    monkeypatch.delitem(ConfigStore.instance().repo["hydra"]["launcher"], f"{launcher}.yaml", raising=False)
    with pytest.raises(SystemExit) as caught:
        run_sweep([f"cluster={cluster}"])
    assert caught.value.code == 2
    assert f"pip install 'ibbench[{extra}]'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
