"""What runs without a label are called: variant and seed, and for namesakes the settings in which they differ. Pure.

Of a run that another program trained neither is known: it is called by its id.
"""

import functools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from alexnet_tui.config.hyperparameters import NO_RESULT_FIELDS, SPECS, RunConfig, default_of, shown_value
from alexnet_tui.runs.history import RunHistory
from alexnet_tui.text import printable

_FIELDS = RunConfig.__struct_fields__
UNNAMED_FIELDS = frozenset(("threads", "checkpoint_epochs", "log_steps"))
"""How a run is recorded, or spread over cores, does not say what it is."""
_BARE_FIELDS = ("front_end", "data")
"""Settings whose values need no word before them: ``baseline s4 · synthetic``."""
_BARE = [_FIELDS.index(name) for name in _BARE_FIELDS]
_OTHERS = [index for index, name in enumerate(_FIELDS) if name not in UNNAMED_FIELDS and name not in _BARE_FIELDS]
_SHARED = [(_FIELDS.index(name), default_of(name)) for name in NO_RESULT_FIELDS if name != "variant"]
"""Indices of the settings in which runs of one experiment may differ, with values as if they did not."""
_SHORT = {name.replace("_", " "): spec.short for name, spec in SPECS.items() if spec.short or name in _BARE_FIELDS}
_SHORT_SETTINGS = {"schedule inverse-time": "inv", "augmentation none": "no aug"}
"""Settings whose value alone is long, or does not say what it is of, where there is no room for their words."""
_BARE_WORDS = frozenset(("0", "yes", "no", "none"))
"""Values that say nothing without the setting that they are of."""
_MAX_CHARS = 120
_FEWEST_STEM_CHARS = 4
_RUN_ID = re.compile(r".+-s\d+-(?P<made>\d[\d-]+)")
_PARTS = re.compile(r"(?P<stem>.+?)(?P<seed> s\d+)?(?: · (?P<settings>.+))?")


@functools.lru_cache(256)
def _defaults(variant: str, front_end: str) -> tuple[Any, ...]:
    """The defaults of a variant on a front end; `front_end` itself keeps its default of all variants."""
    known = RunConfig.from_text({"variant": variant, "front_end": front_end})
    return msgspec.structs.astuple(msgspec.structs.replace(known, front_end=default_of("front_end")))


class Name(msgspec.Struct, frozen=True):
    """What a run, or an experiment, without a label is called.

    Attributes:
        full: With every setting in which it differs from its namesakes.
        short: With as many of these as are enough to tell it from them.
    """

    full: str
    short: str


class _Implication(msgspec.Struct, frozen=True):
    """That one setting's value tells another's.

    Attributes:
        by: Index of the setting that tells.
        of: Index of the one that is told.
        values: From the values of the first to those of the second, as far as they are known.
    """

    by: int
    of: int
    values: dict[Any, Any] = msgspec.field(default_factory=dict)

    def holds(self, values: tuple[Any, ...]) -> bool:
        """Whether it holds with one more run, of these values."""
        told: bool = self.values.setdefault(values[self.by], values[self.of]) == values[self.of]
        return told


def _implications(differing: Iterable[int], runs: Sequence[tuple[Any, ...]]) -> dict[int, _Implication]:
    """Settings that another one tells which is not left out itself; numbers are left out rather than words."""
    numbers_first = sorted(differing, key=lambda index: (isinstance(runs[0][index], str), -index))
    kept, found = list(numbers_first), dict[int, _Implication]()
    for index in numbers_first:
        for other in (other for other in kept if other != index):
            implication = _Implication(other, index)
            if all(implication.holds(values) for values in runs):
                found[index] = implication
                kept.remove(index)
                break
    return found


class _Namesakes(msgspec.Struct):
    """Runs of one variant and seed, or experiments of one variant.

    They are told apart by data set and front end, and where these are the same by the rest.

    Attributes:
        name: Variant and seed, or the variant alone.
        values: Run id to the values of all its settings.
        names: Values of all settings to the name of runs that have them; None where it is not made yet.
        firsts: Data set and front end to the values of the first run that has them.
        differing_bare: Indices into `_FIELDS` of data set and front end, where some of the runs differ.
        differing: Data set and front end to the indices of the other settings in which runs that have them differ.
        implied: Data set and front end to those of `differing` that another one of them tells: with its value, to
            which of theirs.
    """

    name: str
    values: dict[str, tuple[Any, ...]] = msgspec.field(default_factory=dict)
    names: dict[tuple[Any, ...], Name | None] = msgspec.field(default_factory=dict)
    firsts: dict[tuple[Any, ...], tuple[Any, ...]] = msgspec.field(default_factory=dict)
    differing_bare: frozenset[int] = frozenset()
    differing: dict[tuple[Any, ...], frozenset[int]] = msgspec.field(default_factory=dict)
    implied: dict[tuple[Any, ...], dict[int, _Implication]] = msgspec.field(default_factory=dict)

    def add(self, run_id: str, values: tuple[Any, ...]) -> set[str]:
        """Add a run; the runs that are called otherwise now, because more settings differ."""
        self.values[run_id] = values
        if values in self.names:
            return set()
        self.names[values] = None
        bare = _bare(values)
        first, first_alike = next(iter(self.firsts.values()), values), self.firsts.setdefault(bare, values)
        differing_bare, differing = self.differing_bare, self.differing.get(bare, frozenset())
        self.differing_bare = differing_bare.union(index for index in _BARE if values[index] != first[index])
        self.differing[bare] = differing.union(index for index in _OTHERS if values[index] != first_alike[index])
        is_implied = all(one.holds(values) for one in self.implied.get(bare, {}).values())
        if self.differing[bare] != differing or not is_implied:
            alike = [other for other in self.names if _bare(other) == bare]
            self.implied[bare] = _implications(self.differing[bare], alike)
        elif self.differing_bare == differing_bare:
            return set()
        for other in self.names:
            if self.differing_bare != differing_bare or _bare(other) == bare:
                self.names[other] = None
        return {other for other, its in self.values.items() if not self.names[its]}

    def remove(self, run_id: str) -> set[str]:
        """Forget a run; those whose names are shorter without it."""
        before = {other: self._told(values) for other, values in self.values.items() if other != run_id}
        others, self.values = self.values, {}
        self.names, self.firsts, self.differing_bare, self.differing, self.implied = {}, {}, frozenset(), {}, {}
        for other in before:
            self.add(other, others[other])
        return {other for other, told in before.items() if self._told(others[other]) != told}

    def name_of(self, run_id: str) -> Name:
        """The name of one of the runs."""
        values = self.values[run_id]
        name = self.names[values]
        if name is None:
            name = self.names[values] = Name(*(self._with_settings(values, indices) for indices in self._told(values)))
        return name

    def _with_settings(self, values: tuple[Any, ...], indices: Iterable[int]) -> str:
        # Defaults are left out: of two runs that differ in a setting, at most one has its default.
        defaults = _defaults(values[_FIELDS.index("variant")], values[_FIELDS.index("front_end")])
        fields = [(_FIELDS[index], values[index]) for index in indices if values[index] != defaults[index]]
        settings = settings_text(fields)
        return printable(f"{self.name} · {settings}", _MAX_CHARS) if settings else self.name

    def _told(self, values: tuple[Any, ...]) -> tuple[list[int], list[int]]:
        """Indices of the settings in which runs with these values differ from others, and of those that are enough."""
        bare = _bare(values)
        differing = sorted(self.differing_bare | self.differing[bare])
        return differing, [index for index in differing if index not in self.implied.get(bare, {})]


def _bare(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Data set and front end, of the values of all settings."""
    return tuple([values[index] for index in _BARE])


def settings_text(fields: Iterable[tuple[str, Any]]) -> str:
    """Settings and their values as a name has them: ``learning rate 0.1, weight decay 0``."""
    return ", ".join(_setting(name, value) for name, value in fields)


@functools.lru_cache(1024)
def cut_name(name: str, width: int) -> str:
    """A name in at most `width` characters, cut where namesakes are the same rather than where they differ.

    ``four-conv s0 · epochs 2, train images 250`` is ``four… s0 · epochs 2, images 250`` in 31 characters, and the end
    of an id says when the run was made.
    """
    safe = printable(name, 400)
    if len(safe) > width > _FEWEST_STEM_CHARS and (run_id := _RUN_ID.fullmatch(safe)):
        made = run_id["made"][_FEWEST_STEM_CHARS - width :]
        return printable(safe, width - len(made)) + made
    parts = _PARTS.fullmatch(safe)
    if len(safe) <= width or parts is None:
        return printable(safe, width)
    settings = _settings_of(parts["settings"] or "")
    seed = parts["seed"] or ""
    few = _FEWEST_STEM_CHARS
    values = _short_settings(settings)
    shorter = [("", _first_letter(value)) for _, value in values]
    cut = [
        ("", value if words else printable(value, few))
        for (words, _), (_, value) in zip(settings, shorter, strict=True)
    ]
    for shown, short, shown_seed, fewest in (
        (settings, _shortened, seed, len(parts["stem"])),
        (settings, str, seed, few),
        (settings, _shortened, seed, few),
        (values, _nothing, seed, 1),
        (shorter, _nothing, seed, 1),
        (cut, _nothing, seed, 1),
        (shorter, _nothing, "", 1),
    ):
        text = _joined(shown, short)
        rest = shown_seed + (f" · {text}" if text else "")
        if width - len(rest) >= min(len(parts["stem"]), fewest):
            return printable(parts["stem"], width - len(rest)) + rest
        if len(text) > 2 * few and short is _shortened and not any(words for words, _ in settings):
            return _words_cut(parts["stem"], seed, text, width)
    if parts["settings"] and width >= 3 * few:  # As many of them as have room.
        return printable(_joined(shorter, _nothing), width)
    return printable(safe, width)


@functools.lru_cache(4096)
def fewest_cells(name: str) -> int:
    """In how many characters the settings of a name are whole, behind its seed and the first letter of its stem."""
    parts = _PARTS.fullmatch(printable(name, 400))
    if parts is None or not parts["settings"]:
        return len(name)
    values = ", ".join(value for _, value in _short_settings(_settings_of(parts["settings"])))
    return min(2, len(parts["stem"])) + len(f"{parts['seed'] or ''} · {values}")


def _short_settings(settings: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Settings without their words and a zero before the point; a value that does not say of what it is does then."""
    values = (_SHORT_SETTINGS.get(f"{words} {value}".lstrip()) or _value(words, value) for words, value in settings)
    return [("", value[1:] if value.startswith("0.") else value) for value in values]


def _value(words: str, value: str) -> str:
    """A value without the words of its setting, if it says something without them: ``0.01``, but ``wd 0``."""
    return f"{_shortened(words)} {value}".lstrip() if value in _BARE_WORDS else value


def _first_letter(word: str) -> str:
    """A word with a hyphen by its first letter and its end: ``k-same``."""
    begin, _, end = word.partition("-")
    return f"{begin[:1]}-{end}" if end else word


@functools.lru_cache(64)
def cut_settings(texts: frozenset[str], width: int) -> Mapping[str, str]:
    """Texts of settings in at most `width` characters, all as they are, else all abbreviated, else their values alone.

    ``front end literal32, learning rate 0.01`` is ``literal32, lr 0.01`` in 20 characters.
    """
    settings = {text: _settings_of(printable(text, 400)) for text in texts}
    for short in (str, _shortened, _nothing):
        found = {text: _joined(its, short) for text, its in settings.items()}
        if all(len(one) <= width for one in found.values()):
            return found
    return {text: printable(_joined(its, _nothing), width) for text, its in settings.items()}


def _settings_of(text: str) -> list[tuple[str, str]]:
    """The words and the value of each setting."""
    parted = (setting.rpartition(" ") for setting in text.split(", "))
    return [(words, value) for words, _, value in parted]


def _joined(settings: Iterable[tuple[str, str]], short: Callable[[str], str]) -> str:
    return ", ".join(f"{short(words)} {value}".lstrip() for words, value in settings)


def _words_cut(stem: str, seed: str, text: str, width: int) -> str:
    """A name whose settings are words, such as that of a data set: those may be cut too, so that the stem is known."""
    room = width - len(seed) - len(" · ")
    if room < 2 * _FEWEST_STEM_CHARS:
        return printable(stem, width - len(seed)) + seed if width > len(seed) else printable(stem, width)
    text = printable(text, max(_FEWEST_STEM_CHARS, room - len(stem)))
    return f"{printable(stem, room - len(text))}{seed} · {text}"


def _shortened(words: str) -> str:
    return _SHORT.get(words, words)


def _nothing(_: str) -> str:
    return ""


def _setting(name: str, value: Any) -> str:
    shown = shown_value(name, value)
    return shown if name in _BARE_FIELDS else f"{name.replace('_', ' ')} {shown}"


class RunNames:
    """Names of all runs, kept while runs come and go: ``baseline s4``, and ``baseline s4 · weight decay 0``."""

    def __init__(self) -> None:
        self._groups: dict[str, _Namesakes] = {}
        self._group_of: dict[str, _Namesakes] = {}

    def __contains__(self, run_id: object) -> bool:
        return run_id in self._group_of

    def __getitem__(self, run_id: str) -> Name:
        return self._group_of[run_id].name_of(run_id)

    def update(self, histories: Mapping[str, RunHistory], only: Iterable[str] | None = None) -> set[str]:
        """Take in which runs, or which of some, there are now; every run that is called otherwise than before."""
        changed = set[str]()
        for run_id in {*self._group_of, *histories} if only is None else only:
            group = self._group_of.get(run_id)
            if run_id in histories and group is None:
                changed.add(run_id)
                record = histories[run_id].record
                stem = record.id if record.foreign else f"{record.config.variant} s{record.config.seed}"
                if (group := self._groups.get(stem)) is None:
                    group = self._groups[stem] = _Namesakes(printable(stem, 80))
                self._group_of[run_id] = group
                changed |= group.add(run_id, msgspec.structs.astuple(record.config))
            elif run_id not in histories and group is not None:
                del self._group_of[run_id]
                changed |= group.remove(run_id)
        return changed & histories.keys()


def experiment_names(configs: Mapping[str, RunConfig]) -> Callable[[str], Name]:
    """Gives, by the id of one of its runs, what to call an experiment: ``four-conv``, and ``four-conv · synthetic``.

    The seed is no part of it, and settings are compared among experiments of one variant.
    """
    variants = {config.variant: _Namesakes(printable(config.variant, 80)) for config in configs.values()}
    for run_id, config in configs.items():
        values = list(msgspec.structs.astuple(config))
        for index, value in _SHARED:
            values[index] = value
        variants[config.variant].add(run_id, tuple(values))
    return lambda run_id: variants[configs[run_id].variant].name_of(run_id)


def names_beside(histories: Iterable[RunHistory], name_of: Callable[[str], str]) -> dict[str, Name]:
    """By id, what to call runs side by side: a label, or what sets them apart; the id where these leave a doubt."""
    known, unlabelled = {history.id: history for history in histories}, RunNames()
    unlabelled.update(known)
    labels = {run_id: label for run_id in known if (label := name_of(run_id)) != run_id}
    names = {
        run_id: Name(labels[run_id], labels[run_id]) if run_id in labels else unlabelled[run_id] for run_id in known
    }
    counts = Counter(name.full for name in names.values())
    return {run_id: name if counts[name.full] == 1 else Name(run_id, run_id) for run_id, name in names.items()}
