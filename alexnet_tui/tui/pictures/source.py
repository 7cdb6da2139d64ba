"""What the folder of a run holds for pictures, read in a thread and only when it changed."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

import msgspec

from alexnet_tui.errors import AlexnetTuiError
from alexnet_tui.files import Stamp, file_stamp
from alexnet_tui.report.pictures.kernels import Kernels, nearest, read_kernels, stored_epochs
from alexnet_tui.report.pictures.pixels import Pixels
from alexnet_tui.report.pictures.predictions import Predictions, read_predictions
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.runs.run_files import KERNELS, PREDICTIONS_FILE
from alexnet_tui.text import printable

_NONE_YET = (-1, -1, -1)


class Subject(StrEnum):
    """What there are pictures of."""

    KERNELS = "kernels"
    CONFUSION = "confusion"
    MISTAKES = "mistakes"


class Found(msgspec.Struct, frozen=True):
    """What was read of a run.

    Attributes:
        epochs: Epochs whose kernels are stored.
        epoch: The one shown; its kernels may be damaged.
        kernels: The first layer's kernels.
        predictions: The answers on the test images; None before the run has finished.
        images: The test images themselves, where they were asked for and are here.
        kernels_problem: Why there are no kernels, in a sentence; likewise the others.
    """

    epochs: Sequence[int] = ()
    epoch: int | None = None
    kernels: Kernels | None = None
    predictions: Predictions | None = None
    images: Pixels | None = None
    kernels_problem: str = ""
    predictions_problem: str = ""
    images_problem: str = ""


class PictureFiles(msgspec.Struct):
    """The files of one run; used by one thread at a time.

    Attributes:
        directory: The run's directory.
        found: What was read last.
    """

    directory: Path
    found: Found = msgspec.field(default_factory=Found)
    _stored: Sequence[int] = ()
    _stamps: list[Stamp | None] = msgspec.field(default_factory=lambda: [_NONE_YET, _NONE_YET])

    def read(self, history: RunHistory, subject: Subject, epoch: int | None) -> Found:
        """What is there now.

        Args:
            history: The run; kernels of epochs that it has not reached again after a resume are left out.
            subject: Images are read for mistakes alone.
            epoch: Read the kernels nearest to it, or the newest.
        """
        stamps = [file_stamp(self.directory / KERNELS), file_stamp(self.directory / PREDICTIONS_FILE)]
        if stamps[1] != self._stamps[1]:
            self._read_predictions()
        self._read_kernels(history, epoch, is_new=stamps[0] != self._stamps[0])
        # What could not be read is looked for again: nothing is kept of it that a later look could do with.
        self._stamps = [_NONE_YET if self.found.kernels_problem else stamps[0], stamps[1]]
        if subject is Subject.MISTAKES and self.found.images is None and self.found.predictions is not None:
            self._read_images(history, self.found.predictions)
        return self.found

    def _read_predictions(self) -> None:
        found, problem = None, ""
        try:
            found = read_predictions(self.directory)
        except AlexnetTuiError as error:
            problem = _sentence(error)
        self.found = msgspec.structs.replace(self.found, predictions=found, predictions_problem=problem, images=None)

    def _read_kernels(self, history: RunHistory, epoch: int | None, *, is_new: bool) -> None:
        found, problem = self.found, ""
        epochs, shown, kernels = found.epochs, None, None
        try:
            if is_new:
                self._stored = stored_epochs(self.directory)
            epochs = [one for one in self._stored if one <= history.num_epochs_done or history.final is not None]
            if epochs:
                shown = epochs[-1] if epoch is None else nearest(epochs, epoch)
                is_known = shown == found.epoch and not is_new
                kernels = found.kernels if is_known else None
                kernels = read_kernels(self.directory, shown) if kernels is None else kernels
            elif found.predictions is not None:
                shown, kernels = history.num_epochs_done, found.predictions.kernels
        except AlexnetTuiError as error:
            problem = _sentence(error)
        is_same = (epochs, shown, problem) == (found.epochs, found.epoch, found.kernels_problem)
        if kernels is not found.kernels or not is_same:
            self.found = msgspec.structs.replace(
                found, epochs=epochs, epoch=shown, kernels=kernels, kernels_problem=problem
            )

    def _read_images(self, history: RunHistory, predictions: Predictions) -> None:
        from alexnet_tui.report.pictures.images import read_test_images  # Not needed for kernels.

        try:
            images, problem = read_test_images(history, len(predictions.labels)), ""
        except AlexnetTuiError as error:
            images, problem = None, _sentence(error)
        self.found = msgspec.structs.replace(self.found, images=images, images_problem=problem)


def _sentence(error: AlexnetTuiError) -> str:
    return printable(str(error), 600)
