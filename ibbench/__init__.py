"""ibbench: how much is an architectural assumption worth?

`docs/reference/python.md` shows these names at work. They are loaded when they are first used: importing the package
costs nothing.
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"  # the only place that has it

if TYPE_CHECKING:
    from ibbench.api.changes import compare as compare
    from ibbench.api.model import TrainedModel as TrainedModel
    from ibbench.api.model import load_model as load_model
    from ibbench.api.study import Study as Study
    from ibbench.api.study import load_study as load_study
    from ibbench.api.training import train as train
    from ibbench.compare.diff import Diff as Diff
    from ibbench.data.dataset import DataSet as DataSet
    from ibbench.data.dataset import load_dataset as load_dataset
    from ibbench.data.molecules import Molecules as Molecules
    from ibbench.data.splits import split_dataset as split_dataset
    from ibbench.data.targets import QM9_TARGETS as QM9_TARGETS
    from ibbench.errors import InputError as InputError
    from ibbench.errors import TrainingError as TrainingError
    from ibbench.models.registry import Model as Model
    from ibbench.models.registry import build_model as build_model
    from ibbench.models.registry import register as register
    from ibbench.options.compose import compose_config as compose_config
    from ibbench.options.compose import compose_sweep as compose_sweep
    from ibbench.options.config import Config as Config
    from ibbench.options.config import read_config as read_config
    from ibbench.plugins.load import load_plugins as load_plugins
    from ibbench.run.execute import execute as execute
    from ibbench.run.plan import plan as plan
    from ibbench.run.predict import load_predictor as load_predictor

_HOME = {
    "Config": "ibbench.options.config",
    "DataSet": "ibbench.data.dataset",
    "Diff": "ibbench.compare.diff",
    "InputError": "ibbench.errors",
    "Model": "ibbench.models.registry",
    "Molecules": "ibbench.data.molecules",
    "QM9_TARGETS": "ibbench.data.targets",
    "Study": "ibbench.api.study",
    "TrainedModel": "ibbench.api.model",
    "TrainingError": "ibbench.errors",
    "build_model": "ibbench.models.registry",
    "compare": "ibbench.api.changes",
    "compose_config": "ibbench.options.compose",
    "compose_sweep": "ibbench.options.compose",
    "execute": "ibbench.run.execute",
    "load_dataset": "ibbench.data.dataset",
    "load_model": "ibbench.api.model",
    "load_plugins": "ibbench.plugins.load",
    "load_predictor": "ibbench.run.predict",
    "load_study": "ibbench.api.study",
    "plan": "ibbench.run.plan",
    "read_config": "ibbench.options.config",
    "register": "ibbench.models.registry",
    "split_dataset": "ibbench.data.splits",
    "train": "ibbench.api.training",
}
__all__ = ["__version__", *_HOME]

if not TYPE_CHECKING:  # it would take any name for one that is there

    def __getattr__(name: str) -> object:
        if name not in _HOME:
            raise AttributeError(f"module 'ibbench' has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
