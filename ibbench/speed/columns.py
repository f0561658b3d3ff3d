"""The columns of the timings, and what they mean. It imports nothing, least of all PyTorch Geometric."""

PHASES = ("batching", "forward", "backward", "optimizer")  # of a step of training
COLUMNS = {
    "model": "name of the model",
    "replicas": "replicas that train or predict together in one process",
    "phase": "`train` (steps of training) or `infer` (predictions)",
    "ours_molecules_per_second": "molecules per second of ibbench: the median over repeats, in the faster arrangement",
    "ours_low": "the lowest of the repeats",
    "ours_high": "the highest of the repeats",
    "arrangement": "the faster arrangement: processes x threads of each",
    "peer_molecules_per_second": "molecules per second of the same model out of PyTorch Geometric's parts, at its best",
    "peer_low": "the lowest of its repeats",
    "peer_high": "the highest of its repeats",
    "peer_arrangement": "the arrangement in which it is the fastest",
    "peer_compiled": "whether it is compiled there",
    "ratio": "`ours_molecules_per_second` over `peer_molecules_per_second`",
    "gflops": "billions of floating point operations per second that ours come to",
    "ceiling_gflops": "what the machine's matrix products of these sizes reach by themselves",
    "fraction_of_ceiling": "`gflops` over `ceiling_gflops`",
    **{f"{phase}_share": f"share of the time of a training step: {phase}" for phase in PHASES},
    "peak_memory_mb": "the most memory that the processes took, in MB",
    "parameters": "parameters of one replica",
    "width": "width of a node's state",
    "hidden": "width inside a block",
    "depth": "number of layers",
    "batch_size": "molecules per replica and step, or per prediction",
    "compiled": "whether ours is compiled to machine code",
    "repeats": "how often each was timed",
}
GROWTH_COLUMNS = {
    "model": "name of the model",
    "varied": "what is varied: `batch_size`, `width`, `replicas` or `train_size`",
    "value": "its value",
    "molecules_per_second": "molecules trained on per second, the median over repeats",
    "low": "the lowest of the repeats",
    "high": "the highest of the repeats",
    "epoch_seconds": "seconds of one pass over the train molecules; of train sizes only",
    "peak_memory_mb": "the most memory that the process took, in MB",
}
OUTSIDE_COLUMNS = {
    "who": "`ours`, or the package whose command was run",
    "model": "name of our model",
    "target": "the target",
    "unit": "unit of the error",
    "train_size": "number of train molecules",
    "epochs": "passes over them",
    "test_mae": "mean absolute error on the same test molecules",
    "seconds": "seconds from the start of the command to its end",
    "reached": "of ours, whether the error is at most that of the package",
}
# Of `ibbench survey`.
AGREEMENT_COLUMNS = {
    "model": "name of the model",
    "compared_with": "`cpu`: the same training on the CPU, not compiled; `uninterrupted`: a training that was not "
    "interrupted, saved and resumed after its first step",
    "way": "the training step: `eager`, `compiled`, or `graphs` (replayed as a CUDA graph)",
    "predictions_apart": "largest difference of a prediction, of untrained weights (`cpu`) or of trained ones, over "
    "the standard deviation of the target",
    "errors_apart": "largest relative difference of the validation error of a replica after training",
    "agrees": "whether these are at most 0.001 and 0.01",
}
RATE_COLUMNS = {
    "model": "name of the model",
    "who": "`ours`, or `peer` for the same model out of PyTorch Geometric's parts",
    "replicas": "replicas that train at once",
    "batch_size": "molecules per replica and step",
    "way": "the training step: `eager`, `compiled`, or `graphs` (replayed as a CUDA graph)",
    "molecules_per_second": "molecules trained on per second, of all replicas together: the median of several timings",
    "low": "the lowest of them",
    "high": "the highest of them",
    "begin_seconds": "seconds of the first four steps, in which code is compiled",
    "standard_hours": "hours that `experiment=standard` of this model would take at this rate; only of its own number "
    "of replicas and batch size",
}
MEMORY_COLUMNS = {
    "model": "name of the model",
    "batch_size": "molecules per replica and step",
    "predicted_mb": "memory of one more replica, as `trainer.replicas_per_pack=auto` predicts it, in MB",
    "measured_mb": "the same as measured, from the peaks of packs of two and of eight",
    "ratio": "`measured_mb` over `predicted_mb`",
}
PRECISION_COLUMNS = {
    "model": "name of the model",
    "precision": "precision of matrix products",
    "target": "the target",
    "unit": "unit of the errors",
    "num_seeds": "number of seeds",
    "error_mean": "validation error, mean over seeds",
    "error_std": "its standard deviation over seeds",
    "change": "`error_mean` less that of float32",
    "change_over_std": "size of `change` over `error_std` of float32: below 1, seeds change more",
    "molecules_per_second": "molecules trained on per second, of all replicas together",
}
