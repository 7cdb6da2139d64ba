"""The optimiser against torch's own."""

import pytest
import torch
from torch import nn

from alexnet_tui.train.update.optim import MasterSGD


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
