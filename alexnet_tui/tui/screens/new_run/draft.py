"""The state of the New run form: what each field says, and what the person has touched. Pure; no widgets.

A variant and a front end set the defaults of other fields; choosing another one changes only the fields that
were not edited.
"""

from collections.abc import Mapping

import msgspec

from alexnet_tui.config.front_ends import FRONT_ENDS
from alexnet_tui.config.hyperparameters import (
    SPECS,
    RunConfig,
    Value,
    command_words,
    default_of,
    format_value,
    meaning_of,
    parse_field,
    preset_settings,
)
from alexnet_tui.config.protocols import parse_seeds
from alexnet_tui.config.variants import VARIANTS
from alexnet_tui.errors import ConfigError

PRESET_FIELDS = ("variant", "front_end")
SEEDS, VARIANTS_FIELD, LABEL = "seeds", "variants", "label"
ONLY_CHOSEN, ALL_VARIANTS = "chosen", "all"
MAX_SEEDS = 100
_EXTRAS = {SEEDS: "1", VARIANTS_FIELD: ONLY_CHOSEN, LABEL: ""}


class Draft(msgspec.Struct):
    """Text of every field of a run that does not exist yet: the hyperparameters, how many seeds, and a label.

    Attributes:
        texts: Field to the text in it.
        touched: Fields whose value is the person's or the template's rather than the preset's.
    """

    texts: dict[str, str] = msgspec.field(default_factory=lambda: {**RunConfig().to_text(), **_EXTRAS})
    touched: set[str] = msgspec.field(default_factory=set)

    @classmethod
    def of(cls, config: RunConfig) -> "Draft":
        """A draft of a configuration; the fields that differ from its presets count as touched."""
        return cls({**config.to_text(), **_EXTRAS}, set(config.changes()))

    @classmethod
    def of_last(cls, texts: Mapping[str, str]) -> "Draft":
        """A draft with the settings that were started last, as `changed` gave them; without what is no setting now."""
        draft = cls()
        known = {name: text for name, text in texts.items() if name in SPECS}
        draft.edit_all({name: known[name] for name in sorted(known, key=lambda name: name not in PRESET_FIELDS)})
        for name in [name for name in draft.errors() if name in SPECS]:
            draft.reset(name)
        return draft

    def changed(self) -> dict[str, str]:
        """The hyperparameters whose text is not that of a new form."""
        usual = Draft().texts
        return {name: self.texts[name] for name in SPECS if self.texts[name] != usual[name]}

    def edit(self, name: str, text: str) -> set[str]:
        """Put a text into a field; returns the fields whose text moved, this one included."""
        before = dict(self.texts)
        self.texts[name] = text
        if name in PRESET_FIELDS:
            self._apply_preset()
        elif self.differs(name):
            self.touched.add(name)
        else:
            self.touched.discard(name)
        return {field_name for field_name in self.texts if self.texts[field_name] != before[field_name]}

    def edit_all(self, texts: Mapping[str, str]) -> set[str]:
        """Put texts into fields, one after the other; returns these fields and those that moved with them."""
        return set(texts).union(*(self.edit(name, text) for name, text in texts.items()))

    def reset(self, name: str) -> set[str]:
        """Put a field back to its preset."""
        return self.edit(name, self.preset_text(name))

    def preset_text(self, name: str) -> str:
        """What the variant and the front end, else the default, say of a field."""
        if name in _EXTRAS:
            return _EXTRAS[name]
        return format_value(self._preset().get(name, default_of(name)))

    def error(self, name: str) -> str:
        """Why the text of a field is no value, or empty."""
        try:
            if name == SEEDS:
                self._seeds()
            elif name in SPECS:
                parse_field(name, self.texts[name])
        except ConfigError as error:
            return error.reason
        return ""

    def errors(self) -> dict[str, str]:
        """Every field with an error, and the error."""
        found = {name: self.error(name) for name in self.texts}
        return {name: reason for name, reason in found.items() if reason}

    def config(self) -> RunConfig:
        """The run the fields describe.

        Raises:
            ConfigError: A field's text is no value in its range.
        """
        return RunConfig.from_text({name: self.texts[name] for name in SPECS})

    def configs(self) -> list[RunConfig]:
        """Every run that is asked for: each variant with each seed, seed by seed.

        Raises:
            ConfigError: A field's text is no value in its range.
        """
        found = []
        for seed in self._seeds(self.config().seed):
            for variant in VARIANTS if self.texts[VARIANTS_FIELD] == ALL_VARIANTS else (self.texts["variant"],):
                other = Draft(dict(self.texts), set(self.touched))
                other.edit("variant", variant)
                other.edit("seed", str(seed))
                found.append(other.config())
        return found

    @property
    def num_runs(self) -> int:
        """How many runs are asked for; as one seed while that field holds no number."""
        seeds = 1 if self.error(SEEDS) else len(self._seeds())
        return seeds * (len(VARIANTS) if self.texts[VARIANTS_FIELD] == ALL_VARIANTS else 1)

    @property
    def label(self) -> str:
        """The name for people, or empty."""
        return self.texts[LABEL].strip()

    def values(self, group: str, *, differing: bool) -> list[tuple[str, str]]:
        """Fields of a group, with their texts for people: those that differ from the default, or those that do not."""
        return [
            (name, with_meaning(name, self.texts[name]))
            for name, spec in SPECS.items()
            if spec.group == group and bool(self.origin(name)) is differing
        ]

    def differs(self, name: str) -> bool:
        """Whether a field differs from its preset; the variant and the front end, which choose presets, never do."""
        if name in _EXTRAS:
            return self.texts[name].strip() != _EXTRAS[name]
        if name in PRESET_FIELDS:
            return False
        try:
            value: Value | None = parse_field(name, self.texts[name])
        except ConfigError:
            value = None
        return value != self._preset().get(name, default_of(name))

    def origin(self, name: str) -> str:
        """Why a field does not have its default, a phrase: ``preset 0.5``, ``by cifar3x3, default flip``; else empty.

        Nothing is said of the variant, which is a choice among equals.
        """
        if self.differs(name):
            return f"preset {with_meaning(name, self.preset_text(name))}"
        if name in _EXTRAS or name == "variant":
            return ""
        if self.error(name) or parse_field(name, self.texts[name]) == default_of(name):
            return ""
        decides = ""
        for field_name, presets in (("variant", VARIANTS), ("front_end", FRONT_ENDS)):
            preset = presets.get(chosen := self.texts[field_name])
            decides = chosen if preset is not None and name in preset.settings else decides
        return f"{f'by {decides}, ' if decides else ''}default {format_value(default_of(name))}"

    def _seeds(self, first: int = 0) -> range:
        return parse_seeds(self.texts[SEEDS], most=MAX_SEEDS, first=first)

    def _apply_preset(self) -> None:
        for name in SPECS:
            if name not in PRESET_FIELDS and name not in self.touched:
                self.texts[name] = self.preset_text(name)
        self.touched = {name for name in self.touched if self.differs(name)}

    def _preset(self) -> dict[str, Value]:
        try:
            return preset_settings(*(self.texts[name] for name in PRESET_FIELDS))
        except ConfigError:  # An unknown name has no preset.
            return {}


def with_meaning(name: str, text: str) -> str:
    """A field's text for people, with what it stands for: ``0 (all)``."""
    meaning = meaning_of(name, text)
    return f"{text} ({meaning})" if meaning else text


def command_line(config: RunConfig, label: str = "") -> list[str]:
    """The command that makes the same run."""
    return ["alexnet-tui", *command_words(config), *(["--label", label] if label else [])]
