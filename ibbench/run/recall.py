"""A cache of the names of runs, by their configs.

To work out the name of a run takes seconds, since it needs the data set, its split and torch. A command whose runs are
all done would spend them for nothing. So the name is kept: the same config, code and data give the same name again.
"""

import contextlib
import hashlib
import json
from pathlib import Path

import ibbench
from ibbench.baselines import lacking
from ibbench.data.cache import cache_folder, write_to_cache
from ibbench.data.identity import cache_facts
from ibbench.data.sources import open_source
from ibbench.errors import InputError
from ibbench.options.config import Config
from ibbench.record.folder import StudyFolder, study_folder
from ibbench.record.intact import read_done
from ibbench.record.schema import SCHEMA_VERSION, Record


def remember(config: Config, run: str) -> None:
    """Keep the name of the run of a config, if the cache can be written to."""
    with contextlib.suppress(InputError):
        write_to_cache(_note(config), run.encode())


def recall_finished(config: Config) -> Record | None:
    """Return the record of the run of a config; None if its name is not in the cache, it is not done, or
    it lacks baselines that the config asks for.

    Raises:
        InputError: the record cannot be read but is not damaged, such as one of a newer version.
    """
    note = _note(config)
    # A missing GPU must be reported, which only the plan of the run does.
    if config.rerun or config.device not in {"auto", "cpu"} or not note.exists():
        return None
    record = read_done(StudyFolder.at(study_folder(config)).runs / note.read_text())
    return None if record and lacking(config.baselines, {entry.name for entry in record.baselines}) else record


def _note(config: Config) -> Path:
    source = open_source(config.data)
    data = [source.identify(), cache_facts(source)]
    facts = [config.numerics(), *data, SCHEMA_VERSION, ibbench.__version__]
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return cache_folder() / "runs" / digest[:32]
