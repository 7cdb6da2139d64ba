"""Claims as data: the sets of the package, and files that are refused with a sentence for each fault."""

from pathlib import Path

import pytest

from alexnet_tui.config.claims import (
    Claim,
    Precondition,
    claim_files,
    group_config,
    groups_of,
    load_claims,
    read_claim_file,
)
from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.errors import ClaimError

CLAIM = """
[[claim]]
name = "decay"
statement = "Weight decay lowers the training error."
metric = "final_test"
group = { weight_decay = 0.0005 }
reference = { weight_decay = "0" }
direction = "higher"
unit = "points"
smallest_effect = 0.5
"""


def read(folder: Path, text: str) -> list[Claim]:
    path = folder / "claims.toml"
    path.write_text(text)
    return read_claim_file(path)


def test_the_study_makes_three_claims() -> None:
    claims = load_claims("study")
    assert [(one.metric, one.direction, one.unit, one.smallest_effect) for one in claims] == [
        ("gap", "lower", "points", 1.0),
        ("t25", "lower", "ratio", 1.1),
        ("final_test", "lower", "points", 0.5),
    ]
    assert claims[2].groups == ({"removed_conv_layer": "4"}, {"removed_conv_layer": "none"})


def test_the_smallest_effect_is_told_with_its_unit() -> None:
    told = [claim.smallest_effect_text for claim in load_claims("study")]
    assert told == ["1 point", "1.1x", "0.5 points"]


def test_settings_become_values_of_their_hyperparameters(tmp_path: Path) -> None:
    (claim,) = read(tmp_path, CLAIM)
    assert claim.groups == ({"weight_decay": 0.0005}, {"weight_decay": 0.0})
    assert claim.source == "own claim"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('name = "decay"', "", r"claim 1: name is missing \(small letters, digits and -, at most 64\)\."),
        ('name = "decay"', 'name = "A B"', "claim 1: name must be small letters, digits and -, at most 64"),
        ("weight_decay = 0.0005", "weight_dekay = 0.0005", "did you mean weight_decay"),
        ("weight_decay = 0.0005", "weight_decay = 2", "must be 0 to 1"),
        ("weight_decay = 0.0005", "dropout = 0.1", "the same hyperparameters"),
        ("weight_decay = 0.0005", "weight_decay = 0.0", "the same runs"),
        ('direction = "higher"', 'direction = "better"', "claim 1: direction must be higher or lower"),
        ("smallest_effect = 0.5", "smallest_effect = 0", "above 0"),
        ("smallest_effect = 0.5", "smallest_effect = nan", "above 0"),
        ("smallest_effect = 0.5", "smallest_effect = 100", "above 0 and below 100, not 100"),
        ("smallest_effect = 0.5", "smallest_effect = inf", "above 0 and below 100, not inf"),
        ('unit = "points"', 'unit = "ratio"', "above 1"),
        (
            "smallest_effect = 0.5",
            "smallest_effect = 0.5\nfoo = 1",
            "claim 1: there is no field 'foo'; choose one of name, st",
        ),
        ("smallest_effect = 0.5", "effect = 0.5", "claim 1: there is no field 'effect'; did you mean smallest_effect"),
        (
            "smallest_effect = 0.5",
            "smallest_effect = 0.5\n'x` - at `$.claim[6].why`' = 1",
            r"claim 1: there is no field 'x` - at `\$\.claim\[6\]\.why`'",
        ),
        ("smallest_effect = 0.5", 'smallest_effect = "much"', "claim 1: smallest_effect must be a number"),
        ("smallest_effect = 0.5", "smallest_effect = 0.5\nprecondition = 3", "claim 1: precondition must be tables"),
        (
            "smallest_effect = 0.5",
            'smallest_effect = 0.5\n[[claim.precondition]]\nmetric = "gap"\nof = "me"',
            "claim 1, precondition 1: of must be group or reference",
        ),
        (
            "smallest_effect = 0.5",
            'smallest_effect = 0.5\n[[claim.precondition]]\nmetric = "gap"\nreason = "so"',
            "claim 1, precondition 1: there is no field 'reason'; choose one of metric, of, at_least, why",
        ),
        *(
            (
                "smallest_effect = 0.5",
                "smallest_effect = 0.5\n[[claim.precondition]]\n"
                f'metric = "gap"\nof = "group"\nwhy = "so"\nat_least = {number}',
                f"precondition 1: at_least must be a number, not {number}",
            )
            for number in ("nan", "inf", "-inf")
        ),
        ("[[claim]]", "[claim]", r"1 to 50 claims, each below a line \[\[claim\]\]"),
        (CLAIM, "claim = [1]", r"1 to 50 claims, each below a line \[\[claim\]\]"),
        ("[[claim]]", "[[claim", "no TOML"),
        (CLAIM, "", r"1 to 50 claims, each below a line \[\[claim\]\]"),
        (CLAIM, CLAIM + CLAIM, "several claims"),
    ],
)
def test_a_bad_file_is_refused_in_words(tmp_path: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(ClaimError, match=words):
        read(tmp_path, CLAIM.replace(old, new))


@pytest.mark.parametrize("table", ["", "[[claim.precondition]]"])
def test_every_field_of_a_wrong_kind_is_told_with_what_it_must_be(tmp_path: Path, table: str) -> None:
    kind = Precondition if table else Claim
    where = "claim 1, precondition 1" if table else "claim 1"
    for field in kind.__struct_fields__:
        with pytest.raises(ClaimError, match=f"{where}: {field} must be "):
            read(tmp_path, f"[[claim]]\n{table}\n{field} = 2020-01-01\n")


def test_a_file_that_is_not_there_and_a_set_that_is_unknown(tmp_path: Path) -> None:
    with pytest.raises(ClaimError, match="cannot be read"):
        read_claim_file(tmp_path / "none.toml")
    with pytest.raises(ClaimError, match="did you mean study"):
        load_claims("studi")


def test_claims_share_their_groups_and_each_group_has_its_configuration() -> None:
    groups = groups_of(load_claims("study"), {"data": "synthetic"})
    assert groups == {
        "low-dropout": {"dropout": 0.01},
        "baseline": {},
        "tanh": {"activation": "tanh"},
        "four-conv": {"removed_conv_layer": "4"},
    }
    for name, settings in groups.items():
        config = group_config(settings, {"data": "synthetic"}, seed=3)
        assert config == RunConfig.from_text({"variant": name, "data": "synthetic", "seed": "3"})


def test_what_a_plan_sets_for_all_runs_is_no_part_of_a_group() -> None:
    groups = groups_of(load_claims("study"), {"dropout": "0.3"})
    assert groups["dropout-0.5"] == {"dropout": 0.5}
    assert group_config(groups["tanh"], {"dropout": "0.3"}).dropout == 0.3


def test_attack_13_a_hostile_file_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "claims.toml"
    for content in (b"a=" + b"9" * 5000, b"a=" + b"[" * 5000, b"\xff", b" " * ((1 << 20) + 1), b"x=1979-99-99"):
        path.write_bytes(content)
        with pytest.raises(ClaimError, match="no TOML|too large"):
            read_claim_file(path)
    with pytest.raises(ClaimError, match="too large"):
        read_claim_file(Path("/dev/zero"))


def test_files_of_claims_are_found_beside_links_that_lead_nowhere(tmp_path: Path) -> None:
    read(tmp_path, CLAIM)
    (tmp_path / "long.toml").symlink_to("a" * 300)
    (tmp_path / "round.toml").symlink_to("round.toml")
    (tmp_path / "other.toml").write_text("[tool]\n")
    assert claim_files(tmp_path) == ["claims.toml"]
