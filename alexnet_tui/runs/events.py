"""Events: a trainer's output, one JSON object per line, in a public and versioned format.

Non-finite numbers travel as the strings ``"nan"``, ``"inf"`` and ``"-inf"``, because JSON has no word for
them. ``kind`` is the second key of every line, so that a reader may skip kinds it does not need without decoding.
"""

import math
from typing import Annotated, Any

import msgspec

from alexnet_tui.json_io import UNDECODABLE

FORMAT_VERSION = 1
MAX_LINE_BYTES = 1 << 20

Number = float | Annotated[str, msgspec.Meta(pattern="^(nan|-?inf)$")]
"""A number as it travels; `float()` of it gives the number back."""
Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)] | Annotated[str, msgspec.Meta(pattern="^nan$")]
"""An accuracy; what is none is no event, so that every mean of accuracies is a number."""
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""A whole number that a float holds exactly, so that no line can overflow a chart."""
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e11)]
"""A duration, or seconds since 1970 that a calendar knows."""


class Event(msgspec.Struct, kw_only=True, tag_field="kind", omit_defaults=False):
    """What every line carries.

    Attributes:
        v: Version of the format.
        seq: Position of the event in its run, from 0, over all attempts.
        attempt: 1 for the first start of the run, one more for each resume.
        t: Monotonic seconds since this attempt started.
        wall: Seconds since 1970, for display only.
    """

    v: int = FORMAT_VERSION
    seq: Count = 0
    attempt: Count = 1
    t: Seconds = 0.0
    wall: Seconds = 0.0


class Started(Event, tag="started"):
    """A trainer has loaded its data and built its network; what only it knows of the machine.

    `device_class` is what claims may not mix (``cpu``, or a GPU's name). `total_steps` counts updates of the
    whole run. `versions` maps library to version; `fingerprint` names what exact numbers depend on; `arithmetic`
    is the version of this program's arithmetic, 0 in records from before there was one. `thread_milliseconds` is
    what an update took with each number of CPU threads that was tried before `threads` was chosen. So many `processes`
    share each batch, with that many threads each. `settings` are the hyperparameters that decide its numbers, its seed
    among them and the number of epochs not; empty in records from before they were noted.
    """

    device: str
    device_class: str
    precision: str
    threads: Count
    versions: dict[str, str]
    fingerprint: str
    data: str
    data_sha256: str
    num_classes: Count
    class_names: list[str]
    num_train_images: Count
    num_test_images: Count
    num_val_images: Count = 0
    num_train_eval_images: Count = 0
    num_parameters: Count = 0
    steps_per_epoch: Count = 0
    total_steps: Count = 0
    epochs: Count = 0
    commit: str = ""
    pid: Count = 0
    arithmetic: Count = 0
    thread_milliseconds: dict[Count, Seconds] = {}
    processes: Count = 1
    settings: dict[str, str | int | float | bool] = {}


class Resumed(Event, tag="resumed"):
    """A later attempt goes on from a checkpoint; points after `step` belong to the older attempt."""

    epoch: Count
    step: Count
    checkpoint: str
    bit_exact: bool
    reason: str = ""


class Step(Event, tag="step", gc=False):  # Numbers alone: no cycle to look for, a hundred thousand times.
    """The mean running loss and accuracy of the updates since the last such event."""

    epoch: Count
    step: Count
    train_loss: Number
    train_accuracy: Fraction
    learning_rate: float
    images_per_second: float


class Epoch(Event, tag="epoch"):
    """The end of an epoch; accuracies are fractions in [0, 1], losses nats per image.

    `train_loss` and `train_accuracy` are running means in training mode, as Keras reports them;
    `train_eval_accuracy` is in evaluation mode without augmentation. `train_seconds` counts training alone,
    summed over all epochs and attempts so far; `elapsed_seconds` adds evaluation and checkpoints; `images_per_second`
    is the mean of all training so far. What a foreign history does not say is None, and NaN where None is no value.
    """

    epoch: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    step: Count
    train_loss: Number
    train_accuracy: Fraction
    train_eval_loss: Number
    train_eval_accuracy: Fraction
    test_loss: Number
    test_accuracy: Fraction
    learning_rate: float | None
    train_seconds: Seconds | None
    elapsed_seconds: Seconds | None
    images_per_second: float | None
    val_loss: Number | None = None
    val_accuracy: Fraction | None = None


class Checkpoint(Event, tag="checkpoint"):
    """A checkpoint was written and can be trusted.

    `kernels` is the file in the run's folder ``kernels`` that holds the first layer's kernels at this moment; empty
    inside an epoch, where they could not be written, and in records from before there were any.
    """

    epoch: Count
    step: Count
    name: str
    size_bytes: Count
    seconds: Seconds
    kernels: str = ""


class System(Event, tag="system"):
    """What the machine was doing; a value that cannot be read is None.

    Where updates are slow, it also says how far training is between two ``step`` events: the update, the mean loss
    since the last of them, and the throughput. When that happens depends on the clock, so no figure is made of it.
    """

    cpu_percent: float | None = None
    memory_bytes: Count | None = None
    gpu_percent: float | None = None
    gpu_memory_bytes: Count | None = None
    gpu_name: str | None = None
    step: Count | None = None
    train_loss: Number | None = None
    images_per_second: float | None = None


class Warned(Event, tag="warning"):
    """Something a person should know that does not stop training."""

    code: str
    message: str


class Finished(Event, tag="finished"):
    """Training reached its last epoch."""

    epoch: Count
    step: Count
    train_seconds: Seconds | None
    elapsed_seconds: Seconds | None


class Stopped(Event, tag="stopped"):
    """Training left on request, after a checkpoint it can resume from."""

    epoch: Count
    step: Count
    reason: str


DIVERGED = "diverged"
"""The reason of a failure where the loss was no number any more."""


class Failed(Event, tag="failed"):
    """Training cannot go on; `message` is a sentence.

    `reason` is diverged, oom, disk_full, data, data_count (the data set has fewer images than the run asks for),
    data_size (the images do not fit into memory), device, checkpoint or error.
    """

    reason: str
    message: str
    epoch: Count = 0
    step: Count = 0


class Unknown(Event, tag="unknown"):
    """A kind from a newer program: kept, and ignored; `seq` is -1 where the line has none."""

    raw: dict[str, Any]


KnownEvent = Started | Resumed | Step | Epoch | Checkpoint | System | Warned | Finished | Stopped | Failed | Unknown
FINAL_EVENTS = (Finished, Stopped, Failed)
_DECODER: msgspec.json.Decoder[KnownEvent] = msgspec.json.Decoder(KnownEvent)
_ENCODER = msgspec.json.Encoder()


def number(value: float) -> Number:
    """A float as it may travel in an event."""
    return value if math.isfinite(value) else str(value)


def encode(event: Event) -> bytes:
    """One line of JSON with its newline; ``v`` and ``kind`` come first.

    Raises:
        ValueError: A field holds a bare NaN or infinity; `number` turns it into a string.
    """
    fields: dict[str, Any] = msgspec.to_builtins(event)
    if any(isinstance(value, float) and not math.isfinite(value) for value in fields.values()):
        raise ValueError(f"a non-finite number in {fields}")
    ordered = {"v": fields.pop("v"), "kind": fields.pop("kind"), **fields}
    try:
        return _ENCODER.encode(ordered) + b"\n"
    except UnicodeEncodeError:  # A file name that is no UTF-8 must not cost the message that has it.
        import json  # Hardly any event needs it, and no reader does.

        return json.dumps(ordered, ensure_ascii=False, separators=(",", ":")).encode(errors="replace") + b"\n"


def decode(line: bytes) -> KnownEvent:
    """The event in one line, with or without its newline.

    Raises:
        ValueError: The line is no JSON object with a kind, is too long, or lacks fields its kind needs.
    """
    if len(line) > MAX_LINE_BYTES:
        raise ValueError(f"a line of {len(line)} bytes")
    try:
        return _DECODER.decode(line)
    except UNDECODABLE as error:
        return _decode_unknown(line, error)


def decode_lines(chunk: bytes) -> list[KnownEvent] | None:
    """The events in whole lines, several times faster than one by one; None where that must be done after all."""
    if len(chunk) > MAX_LINE_BYTES:  # One of them may be longer than a line may be.
        return None
    try:
        events = _DECODER.decode_lines(chunk)
    except UNDECODABLE:
        return None
    # Another count means empty lines, or an event spread over several, which is none.
    return events if len(events) == chunk.count(b"\n") else None


def _decode_unknown(line: bytes, error: Exception) -> Unknown:
    """An event of a kind or a version this program does not know."""
    try:
        raw = msgspec.json.decode(line, type=dict[str, Any])
    except UNDECODABLE:
        raise ValueError(f"not an event: {error}") from error
    kind, version = raw.get("kind"), raw.get("v")
    known = isinstance(kind, str) and kind in _KINDS
    newer = isinstance(version, int) and version > FORMAT_VERSION
    if not isinstance(kind, str) or (known and not newer):
        raise ValueError(f"not an event: {error}") from error
    sequence = raw.get("seq")
    return Unknown(
        v=version if isinstance(version, int) else 0,
        seq=sequence if isinstance(sequence, int) and 0 <= sequence <= 2**53 else -1,
        raw=raw,
    )


_KINDS = frozenset(
    str(event.__struct_config__.tag)
    for event in (Started, Resumed, Step, Epoch, Checkpoint, System, Warned, Finished, Stopped, Failed)
)
