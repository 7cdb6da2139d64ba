"""What a run will take, before it is started: the panel and the one line beside the New run form."""

from collections.abc import Iterable

import msgspec
from textual.content import Content

from alexnet_tui.analysis import network_size, time_estimate
from alexnet_tui.config.hyperparameters import RunConfig, Value, format_value
from alexnet_tui.cores import machine_load
from alexnet_tui.datasets.catalog import DatasetInfo
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.text import counted, format_bytes, format_count, format_duration, printable
from alexnet_tui.tui.screens.new_run.draft import with_meaning

_NO_TIME, _OFFER = "no run of 100 steps here to go by", "f8 times five steps of it"


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the panel says.

    Attributes:
        config: The run.
        num_runs: How many such runs.
        steps_per_epoch: Updates in one epoch.
        time: How long one run may take, or None.
        memory_bytes: Weights, their copies and one batch's activations.
        layers: The network.
        is_timing: Steps of a run are being timed now.
    """

    config: RunConfig
    num_runs: int
    steps_per_epoch: int
    time: time_estimate.TimeEstimate | None
    memory_bytes: int
    layers: tuple[network_size.LayerRow, ...]
    is_timing: bool

    @property
    def num_parameters(self) -> int:
        """Weights and biases."""
        return sum(row.num_parameters for row in self.layers)

    @property
    def each(self) -> str:
        """What follows a number that every one of several runs has."""
        return " each" if self.num_runs > 1 else ""

    @property
    def num_steps(self) -> int:
        """Updates of one run."""
        return self.steps_per_epoch * self.config.epochs


def summarise(
    config: RunConfig,
    histories: Iterable[RunHistory],
    *,
    num_runs: int,
    info: DatasetInfo,
    host: str,
    step_seconds: float | None,
    is_timing: bool,
) -> RunSummary:
    """What a run with this configuration does on this machine.

    Args:
        config: The run.
        histories: Past runs, to take the time from.
        num_runs: How many such runs.
        info: Its data set.
        host: Name of this machine.
        step_seconds: How long one of its steps takes here, where somebody had that timed: then nothing else is asked.
        is_timing: Steps are being timed now.
    """
    if step_seconds is None:
        time = time_estimate.estimate_time(
            config, histories, host=host, num_train=info.num_train, num_test=info.num_test
        )
    else:
        time = time_estimate.time_of_steps(config, step_seconds, num_train=info.num_train, num_test=info.num_test)
    num_images = time_estimate.num_train_images(config, info.num_train)
    return RunSummary(
        config=config,
        num_runs=num_runs,
        steps_per_epoch=time_estimate.steps_per_epoch(config, info.num_train),
        time=time,
        memory_bytes=network_size.memory_bytes(config, info.num_classes, num_images),
        layers=tuple(network_size.layer_table(config.architecture(info.num_classes))),
        is_timing=is_timing,
    )


def brief(summary: RunSummary, width: int) -> Content:
    """The summary in one line, for a narrow screen; what does not fit whole is left out, the least telling first."""
    steps = Content(f"{format_count(summary.num_steps)} steps{summary.each}").stylize("bold")
    time = Content(_duration(summary) + summary.each if summary.time else "time unknown").stylize("bold")
    known = summary.time.basis if summary.time else "f8 times it"
    basis = Content(f" ({'five steps are being timed' if summary.is_timing else known})").stylize("$text-muted")
    memory = Content(f"{format_bytes(summary.memory_bytes)} memory")
    weights = Content(f"{summary.num_parameters / 1e6:.1f} M weights")
    dot = Content(" · ").stylize("$text-muted")
    first = [Content(f"{summary.num_runs} runs: a study with a queue").stylize("bold")] if summary.each else []
    choices = ((steps, time + basis, memory, weights), (steps, time + basis, memory), (steps, time + basis))
    lines = (dot.join((*first, *parts)) for parts in choices)
    return next((line for line in lines if line.cell_length <= width), dot.join((*first, steps, time)))


def sentence(summary: RunSummary) -> str:
    """What is about to start, in a sentence: how many runs, epochs and how long."""
    epochs = counted(summary.config.epochs, "epoch")
    runs = f"{summary.num_runs} runs of {epochs} each" if summary.num_runs > 1 else f"one run of {epochs}"
    if summary.time is None:
        return f"Then starts: {runs}; how long it takes is not known ({_OFFER})."
    seconds = format_duration(summary.time.total_seconds * summary.num_runs)
    return f"Then starts: {runs}, about {seconds} ({summary.time.basis})."


def panel(summary: RunSummary) -> Content:
    """The summary with differences and layer table."""
    lines = [_heading(f"Each of {summary.num_runs} runs will take" if summary.each else "This run will take")]
    if summary.each:
        lines.append(Content("  They become a study with a queue; f7 shows it.").stylize("$text-muted"))
    epochs = f"{summary.config.epochs} x {format_count(summary.steps_per_epoch)} an epoch"
    lines += [
        _fact("steps", format_count(summary.num_steps) + summary.each, epochs),
        _fact("time", _duration(summary), summary.time.basis if summary.time else _NO_TIME),
    ]
    if summary.time is None:
        lines.append(_fact("", _OFFER, ""))
    load = machine_load()
    if load.is_busy:
        lines.append(_fact("load", f"{load.processes:.1f}", f"others at work on {load.cores} cores: it takes longer"))
    if summary.num_runs > 1 and summary.time:
        total = format_duration(summary.time.total_seconds * summary.num_runs)
        lines.append(_fact("", total, f"for all {summary.num_runs} runs"))
    lines += [
        _fact("memory", format_bytes(summary.memory_bytes), "weights x 3 and one batch"),
        _fact("weights", format_count(summary.num_parameters), "parameters"),
        Content(""),
        *_changes(summary.config),
        *_layers(summary),
    ]
    return Content("\n").join(lines)


def _duration(summary: RunSummary) -> str:
    if summary.time is None:
        return "unknown"
    return ("about " if summary.time.is_rough else "") + format_duration(summary.time.total_seconds)


def _heading(text: str) -> Content:
    return Content(text).stylize("bold $primary")


def _fact(name: str, value: str, remark: str) -> Content:
    return Content.assemble((f"  {name:<9}", "$text-muted"), (value, "bold"), (f"  {remark}", "$text-muted"))


def _changes(config: RunConfig) -> list[Content]:
    changes = config.changes()
    if not changes:
        return []
    lines = [_heading(f"Unlike the preset {config.variant} on {config.front_end}")]
    for name, (default, value) in changes.items():
        lines.append(
            Content.assemble(
                (f"  {name.replace('_', ' '):<20}", "$text-muted"),
                (f"{_shown(name, default)} -> ", "$text-muted"),
                (_shown(name, value), "bold"),
            )
        )
    return [*lines, Content("")]


def _shown(name: str, value: Value) -> str:
    return printable(with_meaning(name, format_value(value)), 80)


def _layers(summary: RunSummary) -> list[Content]:
    lines = [_heading("Network"), Content(f"  {'':<18}{'output':>12}{'parameters':>14}").stylize("$text-muted")]
    for row in summary.layers:
        shape = "x".join(str(side) for side in row.shape)
        count = format_count(row.num_parameters) if row.num_parameters else ""
        style = "" if row.num_parameters else "$text-muted"
        lines.append(Content(f"  {row.name:<18}{shape:>12}{count:>14}").stylize(style))
    work = sum(row.num_multiply_adds for row in summary.layers)
    lines.append(Content(f"  {work / 1e6:,.1f} million multiply-adds an image, forward").stylize("$text-muted"))
    return lines
