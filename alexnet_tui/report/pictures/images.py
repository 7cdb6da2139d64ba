"""The test images that a run was evaluated on, for pictures of what it mistook."""

from alexnet_tui.config.front_ends import FRONT_ENDS
from alexnet_tui.datasets import prepare
from alexnet_tui.datasets.catalog import find
from alexnet_tui.errors import DatasetError, UsageError
from alexnet_tui.report.pictures.pixels import Pixels
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.text import printable


def read_test_images(history: RunHistory, count: int) -> Pixels:
    """(N, 3, height, width) the images in the order of the predictions; nothing is fetched or decoded for them.

    Args:
        history: The run.
        count: How many images its predictions are about.

    Raises:
        UsageError: They are not here, or are other ones.
    """
    config = history.record.config
    try:
        state = find(config.data).state
        if state != "ready":
            raise UsageError(
                f"the images of {printable(config.data, 60)} are not here; `alexnet-tui data prepare"
                f" {printable(config.data, 60)}` fetches them."
            )
        found = prepare.open_split(config.data, FRONT_ENDS[config.front_end].image_size, "test")
    except DatasetError as error:
        raise UsageError(str(error)) from error
    started = history.started
    if found is None or started is None or found[0] != started.data_sha256 or len(found[1].labels) != count:
        raise UsageError("the run was evaluated on other images than the data set of its name holds now.")
    return found[1].images
