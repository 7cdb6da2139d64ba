"""What msgspec says of data of another kind, taken apart."""

from typing import Annotated

import msgspec
import pytest

from alexnet_tui.json_io import reason_of_damage
from alexnet_tui.validation_errors import Fault, fault_of


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    epochs: int

    def __post_init__(self) -> None:
        if self.epochs == 13:
            raise ValueError("13 epochs bring bad luck.")


class Outer(msgspec.Struct):
    configs: list[Inner] = []
    names: dict[str, int] = {}
    seed: Annotated[int, msgspec.Meta(ge=3)] = 3


@pytest.mark.parametrize(
    ("content", "fault", "words"),
    [
        ("[]", Fault(), "it is JSON of another kind"),
        ('{"seed":1}', Fault("seed"), "seed is of the wrong kind or out of range"),
        ('{"names":{"a":"b"}}', Fault("names[...]"), "names[...] is of the wrong kind or out of range"),
        ('{"configs":[{}]}', Fault("configs[0]", missing="epochs"), "configs[0].epochs is missing"),
        (
            '{"configs":[{"epochs":1},{"epochs":"1"}]}',
            Fault("configs[1].epochs"),
            "configs[1].epochs is of the wrong kind or out of range",
        ),
        (
            '{"configs":[{"epochs":1,"x` - at `$.seed`":2}]}',
            Fault("configs[0]", unknown="x` - at `$.seed`"),
            "configs[0] has an unknown field, 'x` - at `$.seed`'",
        ),
        (
            '{"configs":[{"epochs":13}]}',
            Fault("configs[0]", words="13 epochs bring bad luck."),
            "13 epochs bring bad luck",
        ),
    ],
)
def test_what_is_wrong_and_where(content: str, fault: Fault, words: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(content, type=Outer)
    assert fault_of(caught.value) == fault
    assert reason_of_damage(caught.value) == words


def test_the_way_to_a_fault_is_its_names_and_positions() -> None:
    fault = Fault("claim[1].precondition[20].at_least")
    assert (fault.names, fault.positions) == (["claim", "precondition", "at_least"], [1, 20])
    assert (Fault("groups[...]").names, Fault("groups[...]").positions) == (["groups"], [])
