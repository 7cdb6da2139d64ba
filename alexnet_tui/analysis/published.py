"""Every published number as data, with its place in the source.

The study is the reproducibility report that this program reproduces; the paper is Krizhevsky, Sutskever and
Hinton (2012). Accuracies are fractions in [0, 1], times are seconds. Nothing here was measured by us.
"""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from alexnet_tui.analysis.metrics import METRICS, Metric
from alexnet_tui.config.claims import Claim, load_claims

STUDY_TITLE = 'Reproducibility of "ImageNet Classification with Deep Convolutional Neural Networks"'
STUDY_AUTHORS = "Sherry Shang, Zijian Pei, Yuteng Zhang (McGill University)"
PAPER_AUTHORS = "Alex Krizhevsky, Ilya Sutskever, Geoffrey E. Hinton (NIPS 2012)"
STUDY_EPOCHS = 100
MARKS_LABEL = "study (single run)"
"""What charts call the study's own numbers."""


class Published(msgspec.Struct, frozen=True):
    """One number and its place in the text.

    Attributes:
        value: A fraction, seconds or epochs, as the field that holds it says.
        place: Section of the source.
        is_by_eye: Read off a figure.
    """

    value: float
    place: str
    is_by_eye: bool = False


class PublishedRange(msgspec.Struct, frozen=True):
    """A range of epochs and its place in the text."""

    low: float
    high: float
    place: str


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """What the study says of one of its four runs; each is a single run with no seed given.

    Attributes:
        title: Its name here.
        figure: Its figure of training and validation accuracy.
        max_train_accuracy: Highest running training accuracy.
        max_val_accuracy: Highest accuracy on the test set, which served for validation (table).
        max_val_epoch: Epoch of the highest accuracy.
        converged_epoch: "Converges in about ... iterations", by eye; epochs are meant.
        overfitting_epoch: "Overfitting problem gets worse after about ... epochs", by eye.
        seconds: "Time used" (table).
        t25_seconds: Run time until 25% training error, where the study gives one.
        t25_epochs: The epochs between which that was reached.
    """

    title: str
    figure: str
    max_train_accuracy: Published
    max_val_accuracy: Published
    max_val_epoch: Published
    converged_epoch: Published
    overfitting_epoch: Published
    seconds: Published
    t25_seconds: Published | None = None
    t25_epochs: PublishedRange | None = None

    def number(self, metric: Metric) -> tuple[str, str] | None:
        """The study's number for a metric as it is written, and its place; None where it gives none."""
        found: Published | PublishedRange | None = getattr(self, metric.published) if metric.published else None
        if isinstance(found, PublishedRange):
            return f"{found.low:g}–{found.high:g}", found.place
        return None if found is None else (f"{'~' * found.is_by_eye}{metric.text(found.value)}", found.place)


def _clock(hours: int, minutes: int, seconds: int) -> float:
    return 3600.0 * hours + 60 * minutes + seconds


EXPERIMENTS: Mapping[str, Experiment] = MappingProxyType(
    {
        "baseline": Experiment(
            title="Original model",
            figure="Figure 2",
            max_train_accuracy=Published(0.9576, "4.1.1, table"),
            max_val_accuracy=Published(0.5933, "4.1.1, table and text"),
            max_val_epoch=Published(48, "4.1.1, text"),
            converged_epoch=Published(20, "4.1.1, text", is_by_eye=True),
            overfitting_epoch=Published(40, "4.1.1, text", is_by_eye=True),
            seconds=Published(_clock(3, 22, 33), "4.1.1, table"),
            t25_seconds=Published(_clock(1, 25, 16), "5, text"),
            t25_epochs=PublishedRange(40, 50, "5, text"),
        ),
        "low-dropout": Experiment(
            title="Reduced dropout",
            figure="Figure 3",
            max_train_accuracy=Published(0.9248, "4.2.1, table"),
            max_val_accuracy=Published(0.5973, "4.2.1, table and text"),
            max_val_epoch=Published(92, "4.2.1, text"),
            converged_epoch=Published(30, "4.2.1, text", is_by_eye=True),
            overfitting_epoch=Published(60, "4.2.1, text", is_by_eye=True),
            seconds=Published(_clock(3, 17, 28), "4.2.1, table"),
        ),
        "tanh": Experiment(
            title="Tanh activation",
            figure="Figure 4",
            max_train_accuracy=Published(0.9444, "4.2.2, table"),
            max_val_accuracy=Published(0.5971, "4.2.2, table"),
            max_val_epoch=Published(65, "4.2.2, text"),
            converged_epoch=Published(40, "4.2.2, text", is_by_eye=True),
            overfitting_epoch=Published(55, "4.2.2, text", is_by_eye=True),
            seconds=Published(_clock(3, 17, 25), "4.2.2, table"),
            t25_seconds=Published(_clock(1, 40, 41), "5, text"),
            t25_epochs=PublishedRange(50, 60, "5, text"),
        ),
        "four-conv": Experiment(
            title="Four convolutional layers",
            figure="Figure 5",
            max_train_accuracy=Published(0.8562, "4.2.3, table"),
            max_val_accuracy=Published(0.6102, "4.2.3, table and text"),
            max_val_epoch=Published(81, "4.2.3, text"),
            converged_epoch=Published(40, "4.2.3, text", is_by_eye=True),
            overfitting_epoch=Published(60, "4.2.3, text", is_by_eye=True),
            seconds=Published(_clock(1, 48, 59), "4.2.3, table"),
        ),
    }
)


class PublishedClaim(msgspec.Struct, frozen=True, kw_only=True):
    """A claim of the study and the single pair of runs behind what it found.

    Attributes:
        name: Of the claim in the set `study`.
        statement: The claim in the study's words (section 2).
        effect: The study's own number: points as a fraction, or a ratio.
        measure: Name of the metric that number is of.
        found: One sentence on that number.
        place: Where it comes from.
        paper: What the 2012 paper says, with its section.
    """

    name: str
    statement: str
    effect: float
    measure: str
    found: str
    place: str
    paper: str

    @property
    def shown_effect(self) -> float:
        """The number in points, or as a ratio."""
        return self.effect if METRICS[self.measure].unit.is_time else 100 * self.effect


def published_claim(claim: Claim) -> PublishedClaim | None:
    """What the study found on a claim; None where it is not one of the study's, or tests its sentence otherwise."""
    fields = ("name", "statement", "metric", "unit", "direction", "group", "reference")
    for one in load_claims("study"):
        if all(getattr(one, field) == getattr(claim, field) for field in fields):
            return next(found for found in CLAIMS.values() if found.name == one.name)
    return None


def _published_gap(name: str) -> float:
    experiment = EXPERIMENTS[name]
    return experiment.max_train_accuracy.value - experiment.max_val_accuracy.value


CLAIMS: Mapping[int, PublishedClaim] = MappingProxyType(
    {
        1: PublishedClaim(
            name="dropout-reduces-overfitting",
            statement="Adding dropout helps reducing over-fitting.",
            effect=_published_gap("low-dropout") - _published_gap("baseline"),
            measure="max_gap",
            found="With less dropout the gap of the maxima fell from 36.43 to 32.75 points; one run each.",
            place="4.1.1 and 4.2.1, tables",
            paper="Without dropout the network exhibits substantial overfitting (section 4.2).",
        ),
        2: PublishedClaim(
            name="relu-converges-faster-than-tanh",
            statement="ReLU provides faster convergence speed than tanh.",
            effect=_clock(1, 40, 41) / _clock(1, 25, 16),
            measure="t25_running_seconds",
            found="Training error 25% after 01:40:41 (tanh) and 01:25:16 (ReLU), ratio 1.18; one run each.",
            place="5, text",
            paper="A four-layer network reaches 25% training error six times faster with ReLU (Figure 1).",
        ),
        3: PublishedClaim(
            name="removing-a-layer-degrades",
            statement="Network's performance degrades if a single convolutional layer is removed.",
            effect=0.5933 - 0.6102,
            measure="max_test",
            found="Without a layer the maximum rose from 59.33% to 61.02%; one run each, layer not named.",
            place="4.1.1 and 4.2.3, tables",
            paper="Removing any middle layer loses about 2% top-1 (section 7).",
        ),
    }
)


class PaperResult(msgspec.Struct, frozen=True, kw_only=True):
    """A figure of the 2012 paper: `value` is a fraction, a ratio or a count, as `what` says."""

    what: str
    value: float
    place: str


FIGURE_1 = PaperResult(
    what="CIFAR-10, iterations to 25% training error, tanh over ReLU, learning rate chosen for each",
    value=6.0,
    place="Figure 1",
)
PAPER_RESULTS: tuple[PaperResult, ...] = (
    PaperResult(what="ILSVRC-2010 test, top-1 error", value=0.375, place="Table 1"),
    PaperResult(what="ILSVRC-2010 test, top-5 error", value=0.170, place="Table 1"),
    PaperResult(what="ILSVRC-2012 validation, one CNN, top-1 error", value=0.407, place="Table 2"),
    PaperResult(what="ILSVRC-2012 validation, one CNN, top-5 error", value=0.182, place="Table 2"),
    PaperResult(what="ImageNet Fall 2009, six conv layers, top-1 error", value=0.674, place="section 6"),
    PaperResult(what="ImageNet Fall 2009, six conv layers, top-5 error", value=0.409, place="section 6"),
    PaperResult(what="CIFAR-10, four-layer CNN without LRN, test error", value=0.13, place="section 3.3"),
    PaperResult(what="CIFAR-10, four-layer CNN with LRN, test error", value=0.11, place="section 3.3"),
    FIGURE_1,
    PaperResult(what="Top-1 lost by removing a middle layer", value=0.02, place="section 7"),
    PaperResult(what="Iterations to converge, with dropout over without", value=2.0, place="section 4.2"),
    PaperResult(what="Passes over the training set", value=90, place="section 5"),
    PaperResult(what="Parameters, two groups, 1000 classes", value=60_965_224, place="from section 3.5"),
)
