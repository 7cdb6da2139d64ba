"""The record of a run, ``run.json``: what was to be trained, by which program, and where."""

from pathlib import Path
from typing import Annotated

import msgspec

from alexnet_tui import __version__
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import ConfigError, StoreError
from alexnet_tui.folder import Folder
from alexnet_tui.json_io import UNDECODABLE, reason_of_damage, version_of
from alexnet_tui.runs.events import Seconds
from alexnet_tui.runs.run_files import RECORD_FILE
from alexnet_tui.text import printable

RECORD_VERSION = 1


class Extension(msgspec.Struct, frozen=True, kw_only=True):
    """What a run continues that trains another one further.

    Attributes:
        runs: Id of that run, and of those that it continues in turn.
        epochs: How many epochs it was planned to have.
        checkpoint: Name of its checkpoint from which the new run began.
    """

    runs: Annotated[list[str], msgspec.Meta(min_length=1)]
    epochs: int
    checkpoint: str


class Foreign(msgspec.Struct, frozen=True, kw_only=True):
    """Where the history of a run comes from that this program did not train.

    Attributes:
        format: How it was written: ``tensorboard`` or ``csv``.
        source: Name of the file or folder it was read from.
        columns: Column of a history to the name that it had there.
        sha256: Hash of the history, by which it is recognised.
    """

    format: str
    source: str
    columns: dict[str, str]
    sha256: str

    def __str__(self) -> str:
        """Format and source, safe to print."""
        return printable(f"{self.format} {self.source}", 200)


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """``run.json``: written once, when the run is made.

    Attributes:
        v: Version of the format; a newer one is shown read-only.
        id: Name of the directory.
        created: Seconds since 1970.
        label: The user's own name for the run, or empty.
        config: The complete configuration.
        package_version: Version of this program.
        commit: Its commit, where it runs from a checkout.
        argv: The command that made the run, secrets redacted.
        host: Where it was made.
        environment: The few variables that change results; nothing else is kept.
        study: Name of the study the run belongs to, or empty.
        plan_sha256: Hash of that study's plan, or empty.
        extends: The run that this one trains further, or None.
        foreign: Where its history comes from, if another program trained it: its configuration is then not known, and
            `config` says nothing but the number of epochs. None for a run of this program.
    """

    v: int = RECORD_VERSION
    id: str
    created: Seconds
    label: str = ""
    config: RunConfig
    package_version: str = __version__
    commit: str = ""
    argv: list[str] = []
    host: str = ""
    environment: dict[str, str] = {}
    study: str = ""
    plan_sha256: str = ""
    extends: Extension | None = None
    foreign: Foreign | None = None

    @property
    def is_newer(self) -> bool:
        """Whether a newer program made the run, which is then only to be looked at."""
        return self.v > RECORD_VERSION


def read_record(directory: Path) -> RunRecord:
    """The record in a run's directory; its id is the directory's name, whatever a copied or forged record says.

    Raises:
        StoreError: ``run.json`` is missing, damaged, or not what this program can read.
    """
    path = directory / RECORD_FILE
    with Folder(directory) as folder:
        content = folder.read(RECORD_FILE)
    if content is None:
        raise StoreError(path, "the run's record is missing.")
    try:
        record = msgspec.json.decode(content, type=RunRecord)
    except (*UNDECODABLE, ConfigError) as error:
        if version_of(content) > RECORD_VERSION:
            raise StoreError(path, "a newer version of alexnet-tui made this run; update to read it.") from error
        raise StoreError(path, f"the run's record cannot be read: {reason_of_damage(error)}.") from error
    return record if record.id == directory.name else msgspec.structs.replace(record, id=directory.name)
