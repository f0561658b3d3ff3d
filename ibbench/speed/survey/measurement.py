"""The measurements of a survey: what is measured, at which sizes, and in which order.

What matters most comes first, so that a survey which is cut short has it.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Literal, NamedTuple, TypeAlias

from ibbench.models import STANDARD_MODELS

Kind: TypeAlias = Literal["agreement", "resume", "rate", "peer", "memory", "error"]
Way: TypeAlias = Literal["eager", "compiled", "graphs"]
WAYS: tuple[Way, ...] = ("eager", "compiled", "graphs")
# The longest time of one measurement, in seconds; code has to be compiled for those that are not eager.
_LIMIT_SECONDS = {"eager": 120.0, "compiled": 240.0, "graphs": 240.0}


class Scale(NamedTuple):
    """The sizes of a survey.

    Attributes:
        replicas: numbers of replicas in a pack, in rising order.
        batch_sizes: molecules per replica and step, in rising order.
        standard: replicas and batch size of `experiment=standard`, whose cost is told from them.
        train_size: train molecules where rates and memory are measured.
        seconds: how long one timing takes.
        repeats: the number of timings.
        short: options of the trainings that are compared with the CPU, or with an interrupted one.
        trained: options of the trainings whose errors at several precisions are compared.
    """

    replicas: tuple[int, ...]
    batch_sizes: tuple[int, ...]
    standard: tuple[int, int]
    train_size: int
    seconds: float
    repeats: int
    short: tuple[str, ...]
    trained: tuple[str, ...]


FULL = Scale(
    replicas=(1, 4, 16, 36),
    batch_sizes=(32, 128, 512),
    standard=(36, 256),
    train_size=20_000,
    seconds=0.5,
    repeats=3,
    short=("seeds=[0,1]", "data.train_size=1000", "data.validation_size=500", "trainer.epochs=2"),
    trained=("seeds=[0,1,2,3,4,5,6,7]", "data.train_size=5000", "data.validation_size=2000", "trainer.epochs=10"),
)
SMALL = Scale(
    replicas=(1, 2),
    batch_sizes=(8, 16),
    standard=(2, 16),
    train_size=64,
    seconds=0.01,
    repeats=2,
    short=("seeds=[0,1]", "data.train_size=64", "data.validation_size=50", "trainer.epochs=2"),
    trained=("seeds=[0,1]", "data.train_size=64", "data.validation_size=50", "trainer.epochs=1"),
)


class Measurement(NamedTuple):
    """One measurement of a survey, which takes one process and a few seconds to minutes.

    Attributes:
        name: its name, and that of its file.
        kind: what is measured.
        overrides: options of the config, with one model.
        way: whether the training step is compiled, or replayed as a CUDA graph.
        limit_seconds: the longest time that it may take.
        repeats: the number of timings, of a rate.
        seconds: how long one timing takes, of a rate.
    """

    name: str
    kind: Kind
    overrides: tuple[str, ...]
    way: Way
    limit_seconds: float
    repeats: int = 1
    seconds: float = 0.0


def list_measurements(
    overrides: Sequence[str],
    scale: Scale,
    *,
    models: Sequence[str] = STANDARD_MODELS,
    checked: Sequence[str],
    peers: Iterable[str],
    ways: Sequence[Way] = WAYS,
    precisions: Sequence[str],
) -> list[Measurement]:
    """List the measurements of a survey, in the order in which they are taken.

    Args:
        overrides: options that all measurements share, without a model.
        scale: the sizes.
        models: the models that are timed.
        checked: the models whose numbers are compared with those of the CPU.
        peers: the models of these that have a peer which can be timed.
        ways: whether training steps are compiled; the first is `eager`.
        precisions: the precisions of matrix products; the first is `float32`.
    """
    survey = _Survey(overrides, scale)
    listed: list[Measurement] = []
    listed += [survey.short("agreement", model, "eager") for model in checked]
    listed += [survey.short("resume", model, "eager") for model in models]
    sizes = list(product(scale.replicas, scale.batch_sizes))
    corners = list(product(dict.fromkeys(_ends(scale.replicas)), dict.fromkeys(_ends(scale.batch_sizes))))
    for way in ways:
        first = sizes if way == "eager" else corners  # code takes half a minute to compile: the ends first
        listed += [survey.rate(model, way, *size) for size in [scale.standard, *first] for model in models]
        if way == "eager":
            listed += [survey.short("memory", model, way) for model in models]
    listed += [survey.error(model, precision) for model in models for precision in precisions]
    listed += [survey.peer(model, way, size) for way in ways if way != "graphs" for size in scale.batch_sizes
               for model in models if model in set(peers)]  # fmt: skip
    listed += [survey.short("agreement", model, way) for way in ways if way != "eager" for model in models]
    listed += [survey.rate(model, way, *size) for way in ways for size in sizes for model in models]
    return list({measurement.name: measurement for measurement in listed}.values())


def _ends(values: Sequence[int]) -> Iterator[int]:
    yield from (values[0], values[-1])


class _Survey:
    """Makes measurements of one survey.

    Args:
        overrides: options that all measurements share.
        scale: the sizes.
    """

    def __init__(self, overrides: Sequence[str], scale: Scale) -> None:
        self._shared, self._scale = tuple(overrides), scale

    def short(self, kind: Kind, model: str, way: Way) -> Measurement:
        """Compare or weigh short trainings."""
        options = self._scale.short if kind != "memory" else self._sizes(1, self._scale.batch_sizes[0])
        return self._measurement(kind, model, way, f"{kind}-{model}-{way}", options)

    def rate(self, model: str, way: Way, replicas: int, batch_size: int) -> Measurement:
        """Time our training steps."""
        name = f"rate-{model}-{way}-{replicas}x{batch_size}"
        return self._measurement("rate", model, way, name, self._sizes(replicas, batch_size))

    def peer(self, model: str, way: Way, batch_size: int) -> Measurement:
        """Time the training steps of the peer."""
        return self._measurement("peer", model, way, f"peer-{model}-{way}-{batch_size}", self._sizes(1, batch_size))

    def error(self, model: str, precision: str) -> Measurement:
        """Train at one precision."""
        options = (*self._scale.trained, f"precision={precision}")
        return self._measurement("error", model, "eager", f"error-{model}-{precision}", options)

    def _sizes(self, replicas: int, batch_size: int) -> tuple[str, ...]:
        size = f"data.train_size={max(self._scale.train_size, batch_size)}"
        return f"seeds=[{','.join(map(str, range(replicas)))}]", size, f"trainer.batch_size={batch_size}"

    def _measurement(self, kind: Kind, model: str, way: Way, name: str, options: tuple[str, ...]) -> Measurement:
        compiled = {"eager": "false", "compiled": "true", "graphs": "graphs"}[way]
        overrides = (*self._shared, f"model={model}", *options, f"trainer.compile={compiled}")
        scale = self._scale
        return Measurement(name, kind, overrides, way, _LIMIT_SECONDS[way], scale.repeats, scale.seconds)
