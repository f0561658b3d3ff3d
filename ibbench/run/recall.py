"""Which run a config is, remembered from when it was last worked out.

To name a run takes the data set, its split and torch: seconds, for a command that then finds all of its runs done. A
config whose name was worked out before, with the same code and data, has the same name again.
"""

import contextlib
import hashlib
import json
from pathlib import Path

import ibbench
from ibbench.data.cache import cache_folder, write_to_cache
from ibbench.data.identity import cache_facts
from ibbench.data.sources import open_source
from ibbench.errors import InputError
from ibbench.options.config import Config
from ibbench.record.folder import StudyFolder, study_folder
from ibbench.record.intact import read_done
from ibbench.record.schema import SCHEMA_VERSION, Record


def remember(config: Config, run: str) -> None:
    """Note the name of the run that a config stands for, where the cache can be written to."""
    with contextlib.suppress(InputError):
        write_to_cache(_note(config), run.encode())


def recall_finished(config: Config) -> Record | None:
    """Return the record of the run that a config stands for, if its name is known and it is done.

    Raises:
        InputError: there is such a record, and it cannot be read though it is not damaged.
    """
    note = _note(config)
    # Another device than the CPU may be absent, which is an error.
    if config.rerun or config.device not in {"auto", "cpu"} or not note.exists():
        return None
    return read_done(StudyFolder.at(study_folder(config)).runs / note.read_text())


def _note(config: Config) -> Path:
    source = open_source(config.data)
    data = [source.identify(), cache_facts(source)]
    facts = [config.numerics(), *data, SCHEMA_VERSION, ibbench.__version__]
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return cache_folder() / "runs" / digest[:32]
