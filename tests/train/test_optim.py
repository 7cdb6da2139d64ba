"""The optimiser against torch's own, and the schedules."""

import pytest
import torch
from torch import nn

from alexnet_tui.config.hyperparameters import RunConfig
from alexnet_tui.train.optim import MasterSGD, Schedule, count_plateaus


def test_float32_equals_torchs_sgd_with_weight_decay_on_weights_alone() -> None:
    torch.manual_seed(0)
    ours = [nn.Parameter(torch.randn(7, 5)), nn.Parameter(torch.randn(4, 3, 3, 3).contiguous())]
    ours[1] = nn.Parameter(ours[1].detach().contiguous(memory_format=torch.channels_last))
    ours.append(nn.Parameter(torch.randn(5)))  # A bias, which does not decay.
    theirs = [nn.Parameter(parameter.detach().clone()) for parameter in ours]
    optimizer = MasterSGD(ours, [parameter.data for parameter in ours], 0.9, 5e-4)
    groups: list[dict[str, object]] = [{"params": theirs[:2]}, {"params": theirs[2:], "weight_decay": 0.0}]
    reference = torch.optim.SGD(groups, lr=0.01, momentum=0.9, weight_decay=5e-4)
    for _ in range(20):
        for mine, other in zip(ours, theirs, strict=True):
            gradient = torch.randn(mine.shape)
            mine.grad, other.grad = gradient.clone(), gradient.clone()
        optimizer.step(0.01)
        reference.step()
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_form_for_gpus_computes_the_same(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    start = [torch.randn(7, 5), torch.randn(4, 3, 3, 3).contiguous(memory_format=torch.channels_last), torch.randn(4)]
    gradients = [torch.randn(tensor.shape).to(dtype) for tensor in start]
    results = []
    for in_pieces in (True, False):
        parameters = [nn.Parameter(tensor.to(dtype)) for tensor in start]
        is_same = dtype is torch.float32
        master_weights = [p.data if is_same else t.clone() for p, t in zip(parameters, start, strict=True)]
        optimizer = MasterSGD(parameters, master_weights, 0.9, 5e-4)
        optimizer._walks_in_pieces = in_pieces
        for _ in range(3):
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient.clone()
            optimizer.step(0.01)
        results.append([*parameters, *master_weights])
    for mine, theirs in zip(*results, strict=True):
        torch.testing.assert_close(mine, theirs)


def test_bf16_weights_follow_float32_masters_through_tiny_updates() -> None:
    parameter = nn.Parameter(torch.ones(1000, dtype=torch.bfloat16))
    master = torch.ones(1000)
    optimizer = MasterSGD([parameter], [master], 0.0, 0.0)
    for _ in range(100):  # Each update is far below bfloat16's step of 1/128 at one.
        parameter.grad = torch.ones_like(parameter)
        optimizer.step(1e-4)
    assert master[0].item() == pytest.approx(0.99, abs=1e-5)
    assert parameter[0].item() == pytest.approx(0.99, abs=1 / 256)


def schedule(**fields: str) -> Schedule:
    return Schedule(RunConfig.from_text(fields))


def test_constant_schedule() -> None:
    assert {schedule().learning_rate(epoch, 391 * epoch) for epoch in (1, 50, 100)} == {0.01}


def test_step_schedule_drops_after_half_and_three_quarters() -> None:
    rates = [schedule(schedule="step", epochs="8").learning_rate(epoch, 0) for epoch in range(1, 9)]
    assert rates == pytest.approx([1e-2] * 4 + [1e-3] * 2 + [1e-4] * 2)


def test_inverse_time_schedule_is_that_of_keras() -> None:
    inverse = schedule(schedule="inverse-time", learning_rate="0.02", rate_decay="0.001")
    rates = [inverse.learning_rate(1, update) for update in (0, 1, 1000, 39_099)]
    assert rates == pytest.approx([0.02, 0.02 / 1.001, 0.01, 0.02 / 40.099])


def test_plateau_drops_ten_epochs_after_the_last_progress_and_three_times_at_most() -> None:
    plateau = schedule(schedule="plateau")
    for epoch in range(60):
        plateau.add(0.5 if epoch else 0.6)
    assert plateau.learning_rate(12, 0) == pytest.approx(0.01)
    assert plateau.learning_rate(13, 0) == pytest.approx(0.001)
    assert count_plateaus([0.5] * 100) == 3
    assert count_plateaus([1 / (1 + epoch) for epoch in range(100)]) == 0
