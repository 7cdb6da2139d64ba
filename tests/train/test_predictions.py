"""What is stored of the answers on the test images agrees with the accuracy that was measured."""

import torch

from alexnet_tui.train.attempt import likeliest


def test_of_equally_likely_classes_the_first_is_the_answer_as_in_the_accuracy() -> None:
    generator = torch.Generator().manual_seed(0)
    logits_NK = torch.randint(-3, 4, (2000, 10), generator=generator).float()  # Coarse, as bfloat16: full of ties.
    top_NT = likeliest(logits_NK)
    assert top_NT.shape == (2000, 5)
    assert torch.equal(top_NT[:, 0], logits_NK.argmax(1))
    values_NT = logits_NK.gather(1, top_NT)
    assert torch.equal(values_NT, logits_NK.sort(dim=1, descending=True).values[:, :5])
    assert torch.equal(likeliest(logits_NK[:, :3]).sort(1).values, torch.arange(3).expand(2000, 3))
