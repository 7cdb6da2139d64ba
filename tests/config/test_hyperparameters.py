"""Hyperparameters: the report's settings, text and JSON both ways, and a sentence for whatever is wrong."""

import math
import random

import msgspec
import pytest

from alexnet_tui.config.architecture import Setting
from alexnet_tui.config.front_ends import FRONT_ENDS
from alexnet_tui.config.hyperparameters import (
    SPECS,
    TYPES,
    RunConfig,
    default_of,
    format_value,
    option_name,
    parse_field,
    preset_settings,
    range_text,
    settings_sha256,
    shown_value,
)
from alexnet_tui.config.steps import stepped
from alexnet_tui.config.variants import VARIANTS
from alexnet_tui.errors import ConfigError

# The public surface, written out: a field added, renamed or moved by accident fails here.
REPORT: dict[str, Setting] = {
    "variant": "baseline",
    "front_end": "literal32",
    "data": "cifar10",
    "seed": 0,
    "epochs": 100,
    "activation": "relu",
    "dropout": 0.5,
    "removed_conv_layer": "none",
    "lrn": False,
    "pooling": "overlapping",
    "groups": 1,
    "init": "glorot",
    "learning_rate": 0.01,
    "schedule": "constant",
    "rate_decay": 0.0005,
    "momentum": 0.9,
    "weight_decay": 0.0005,
    "batch_size": 128,
    "augmentation": "flip",
    "preprocessing": "standardise",
    "split": "paper",
    "train_images": 0,
    "train_eval_images": 10_000,
    "precision": "auto",
    "device": "auto",
    "threads": 0,
    "checkpoint_epochs": 10,
    "log_steps": 10,
}
TRAIN_AS_TEXT = {"dropout": "0.25", "lrn": "yes", "epochs": "3", "device": "cuda:1", "learning_rate": "1e-3"}


def test_the_fields_and_their_defaults_are_the_report_s() -> None:
    assert msgspec.to_builtins(RunConfig()) == REPORT
    assert list(SPECS) == list(REPORT)
    assert {name: default_of(name) for name in SPECS} == REPORT


@pytest.mark.parametrize("name", list(REPORT))
def test_each_field_is_described_and_its_default_is_its_own_text(name: str) -> None:
    spec = SPECS[name]
    assert spec.help.endswith(".")
    assert spec.group
    assert range_text(name)
    assert option_name(name) == "--" + name.replace("_", "-")
    assert parse_field(name, format_value(default_of(name))) == default_of(name)
    assert type(parse_field(name, format_value(default_of(name)))) is TYPES[name]


@pytest.mark.parametrize("variant", list(VARIANTS))
@pytest.mark.parametrize("front_end", list(FRONT_ENDS))
def test_text_and_json_give_back_an_equal_config(variant: str, front_end: str) -> None:
    config = RunConfig.from_text({"variant": variant, "front_end": front_end, **TRAIN_AS_TEXT})
    assert RunConfig.from_text(config.to_text()) == config
    assert msgspec.json.decode(msgspec.json.encode(config), type=RunConfig) == config


def test_any_config_in_range_survives_its_own_text() -> None:
    rng = random.Random(7)
    for _ in range(300):
        fields: dict[str, str] = {}
        for name, spec in SPECS.items():
            if spec.choices:
                fields[name] = rng.choice(spec.choices)
            elif spec.low is not None and spec.high is not None:
                drawn = spec.low + (spec.high - spec.low) * rng.uniform(1e-9, 1) ** 3
                fields[name] = repr(drawn) if TYPES[name] is float else str(math.ceil(drawn))
        config = RunConfig.from_text(fields)
        assert RunConfig.from_text(config.to_text()) == config
        assert msgspec.json.decode(msgspec.json.encode(config), type=RunConfig) == config


def test_presets_lie_under_what_was_typed() -> None:
    assert RunConfig.from_text({"variant": "low-dropout"}).dropout == 0.01
    assert RunConfig.from_text({"variant": "low-dropout", "dropout": "0.3"}).dropout == 0.3
    same = RunConfig.from_text({"front_end": "same32"})
    assert (same.lrn, same.groups) == (True, 2)
    assert RunConfig.from_text({"front_end": "same32", "groups": "1"}).groups == 1
    assert preset_settings("tanh", "same32") == {"lrn": True, "groups": 2, "activation": "tanh"}


def test_changes_are_told_against_the_variant_s_own_defaults() -> None:
    assert RunConfig.from_text({"variant": "four-conv", "front_end": "same32"}).changes() == {}
    typed = RunConfig.from_text({"variant": "low-dropout", "dropout": "0.5", "epochs": "7"})
    assert typed.changes() == {"dropout": (0.01, 0.5), "epochs": (100, 7)}


def test_the_architecture_follows_the_fields() -> None:
    config = RunConfig.from_text({"variant": "four-conv", "front_end": "same32", "activation": "tanh"})
    built = config.architecture(100)
    assert (built.removed_conv_layer, built.activation, built.lrn, built.groups) == (4, "tanh", True, 2)
    assert (built.num_classes, built.dropout, built.front_end) == (100, 0.5, FRONT_ENDS["same32"])
    assert RunConfig().architecture(10).removed_conv_layer is None


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("epochs", "1e3", 1000),
        ("epochs", " 12 ", 12),
        ("epochs", "+5", 5),
        ("seed", "2147483647", 2**31 - 1),
        ("learning_rate", "1e-3", 0.001),
        ("learning_rate", ".5", 0.5),
        ("learning_rate", "1.", 1.0),
        ("dropout", "0", 0.0),
        ("dropout", "0.95", 0.95),
        ("lrn", "ON", True),
        ("lrn", "0", False),
        ("device", "cuda:12", "cuda:12"),
    ],
)
def test_what_a_person_may_type(name: str, text: str, value: Setting) -> None:
    assert parse_field(name, text) == value


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("dropout", "1.5", "dropout: must be 0 to 0.95, not 1.5."),
        ("dropout", "-0.1", "dropout: must be 0 to 0.95, not -0.1."),
        ("dropout", "nan", "dropout: must be a number (0 to 0.95), not 'nan'."),
        ("dropout", "inf", "dropout: must be a number (0 to 0.95), not 'inf'."),
        ("dropout", "", "dropout: needs a number (0 to 0.95)."),
        ("dropout", "1_0", "dropout: must be a number (0 to 0.95), not '1_0'."),
        ("dropout", "0,5", "dropout: must be a number (0 to 0.95), not '0,5'."),
        ("dropout", "0x1", "dropout: must be a number (0 to 0.95), not '0x1'."),
        ("batch_size", "0", "batch_size: must be 1 or more, not 0."),
        ("batch_size", "1_000", "batch_size: must be a number (1 or more), not '1_000'."),
        ("batch_size", "1e999", "batch_size: must be a whole number (1 or more), not '1e999'."),
        ("batch_size", "70000", "batch_size: must be at most 65,536, not 70000."),
        ("epochs", "１２", "epochs: must be a number (1 or more), not '１２'."),
        ("epochs", "1e6", "epochs: must be at most 100,000, not 1000000."),
        ("epochs", "1\x1b[2J", r"epochs: must be a number (1 or more), not '1\x1b[2J'."),
        ("epochs", "a\\b", r"epochs: must be a number (1 or more), not 'a\b'."),
        ("seed", "1.5", "seed: must be a whole number (0 or more), not '1.5'."),
        ("seed", "-1", "seed: must be 0 or more, not -1."),
        ("seed", "9" * 23, f"seed: must be at most 2,147,483,647, not {'9' * 23}."),
        ("seed", "2147483648", "seed: must be at most 2,147,483,647, not 2147483648."),
        ("groups", "3", "groups: must be 1 to 2, not 3."),
        ("learning_rate", "0", "learning_rate: must be above 0, not 0."),
        ("learning_rate", "1e-999", "learning_rate: must be above 0, not 0."),
        ("learning_rate", "1e999", "learning_rate: must be at most 1,000,000, not inf."),
        ("lrn", "maybe", "lrn: must be yes or no, not 'maybe'."),
        ("variant", "basline", "variant: there is no 'basline'; did you mean baseline?"),
        ("variant", "low_dropout", "variant: there is no 'low_dropout'; did you mean low-dropout?"),
        ("variant", "zzz", "variant: there is no 'zzz'; choose one of baseline, low-dropout, tanh, four-conv."),
        ("activation", "it's", """activation: there is no "it's"; choose one of relu, tanh."""),
        ("device", "cuda:１", "device: 'cuda:１' is not valid. Where to train: auto, cpu, cuda, cuda:1, mps."),
        ("drop_out", "1", "drop_out: there is no such hyperparameter; did you mean dropout?"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(name: str, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        RunConfig.from_text({name: text})
    assert str(caught.value) == message
    assert caught.value.field == name
    assert int(caught.value.exit_code) == 2


@pytest.mark.parametrize("data", ["../etc", "", "A", "-x", "a" * 65, "cifar10\n", "a/b", "."])
def test_a_data_set_s_name_is_no_path(data: str) -> None:
    with pytest.raises(ConfigError, match="is not valid"):
        RunConfig(data=data)


@pytest.mark.parametrize(
    ("json", "error"),
    [
        (b'{"seed":1' + b"0" * 400 + b"}", ConfigError),
        (b'{"dropout":1.5}', ConfigError),
        (b'{"variant":"' + b"x" * 100_000 + b'"}', ConfigError),
        (b'{"seed":1.5}', msgspec.ValidationError),
        (b'{"lrn":"yes"}', msgspec.ValidationError),
        (b'{"dropout":1e999}', msgspec.DecodeError),
    ],
)
def test_a_foreign_record_out_of_range_is_refused(json: bytes, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        msgspec.json.decode(json, type=RunConfig)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_number_is_allowed_that_is_none(value: float) -> None:
    with pytest.raises(ConfigError, match="learning_rate: must be"):
        RunConfig(learning_rate=value)


def test_fields_of_a_newer_program_are_ignored() -> None:
    assert msgspec.json.decode(b'{"epochs":3,"warp":9}', type=RunConfig) == RunConfig(epochs=3)


def test_a_zero_that_is_no_amount_is_shown_as_what_it_stands_for() -> None:
    zeros = {name for name, spec in SPECS.items() if spec.low == 0 and not spec.low_open and "0 " in spec.help}
    assert {name for name, spec in SPECS.items() if spec.zero} == zeros == {"train_images", "threads"}
    assert (shown_value("threads", 0), shown_value("threads", 2)) == ("auto", "2")
    assert (parse_field("threads", "Auto"), parse_field("train_images", "all")) == (0, 0)
    assert (shown_value("train_images", 0), shown_value("dropout", 0.0), shown_value("lrn", False)) == (
        "all",
        "0",
        "no",
    )


def test_a_step_leads_to_the_next_number_of_a_field_s_own_scale() -> None:
    steps = {
        ("epochs", "100"): ("50", "200"),
        ("epochs", "1"): ("1", "2"),
        ("epochs", "7"): ("5", "10"),
        ("train_images", "0"): ("0", "100"),
        ("train_images", "100"): ("0", "200"),
        ("learning_rate", "0.01"): ("0.005", "0.02"),
        ("learning_rate", "1e-05"): ("1e-05", "2e-05"),
        ("weight_decay", "0"): ("0", "1e-05"),
        ("momentum", "0.9999"): ("0.95", "0.9999"),
        ("dropout", "0.5"): ("0.45", "0.55"),
        ("batch_size", "128"): ("64", "256"),
        ("seed", "0"): ("0", "1"),
        ("seed", "1063059882"): ("1063059881", "1063059883"),
        ("seed", "2147483647"): ("2147483646", "2147483647"),
        ("learning_rate", "0.9999999999999999"): ("0.5", "2"),
        ("epochs", "x"): ("x", "x"),
        ("data", "cifar10"): ("cifar10", "cifar10"),
    }
    assert {key: (stepped(*key, -1), stepped(*key, 1)) for key in steps} == steps
    for name, spec in SPECS.items():  # Every step leads to a value that is allowed.
        text = format_value(default_of(name))
        for direction in (*[1] * 60, *[-1] * 120) if spec.low is not None else ():
            parse_field(name, text := stepped(name, text, direction))


def test_the_hash_of_settings_is_of_what_decides_numbers_alone() -> None:
    """Checkpoints carry it: of the defaults it stays what it is, whatever settings come."""
    usual = settings_sha256(RunConfig())
    assert usual == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    alike: list[dict[str, Setting]] = [{"threads": 4}, {"epochs": 7}, {"log_steps": 3}, {"checkpoint_epochs": 2}]
    assert {settings_sha256(RunConfig(**one)) for one in alike} == {usual}  # type: ignore[arg-type]
    others: list[dict[str, Setting]] = [{"seed": 1}, {"dropout": 0.1}, {"data": "cifar100"}, {"lrn": True}]
    assert len({settings_sha256(RunConfig(**one)) for one in others} | {usual}) == 5  # type: ignore[arg-type]
