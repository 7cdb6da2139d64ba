"""What of the pictures is looked at; the same of every run that is shown."""

import msgspec

from alexnet_tui.tui.pictures.source import Subject


class View(msgspec.Struct, frozen=True):
    """Where a person is in the pictures.

    Attributes:
        subject: Which picture.
        epoch: The kernels nearest to it; None follows the newest.
        zoom: Pixels added to the side of a kernel.
        scroll: Lines of the kernels above the first on show.
        cursor: Row and column of the confusion matrix.
        cell: Whose images are looked through: of one cell of the matrix; None for the worst mistakes.
        first_image: Place of the first image on show among them.
    """

    subject: Subject = Subject.KERNELS
    epoch: int | None = None
    zoom: int = 0
    scroll: int = 0
    cursor: tuple[int, int] = (0, 0)
    cell: tuple[int, int] | None = None
    first_image: int = 0

    def of_other_runs(self) -> "View":
        """The same picture of other runs, from its beginning."""
        return View(subject=self.subject, cursor=self.cursor)
