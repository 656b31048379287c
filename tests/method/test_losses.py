"""The two losses: values by hand, gradients by gradcheck."""

import pytest
import torch

from tsslbp.method.losses import CountLoss, KernelLoss
from tsslbp.method.losses.kernel import default_desired_train


def test_kernel_loss_is_zero_at_its_target():
    loss = KernelLoss(5, 3.0)
    labels = torch.tensor([1, 2])
    trace = torch.zeros(5, 2, 3, dtype=torch.float64)
    trace[:, 0, 1] = trace[:, 1, 2] = loss.target[:, 0]
    assert loss(trace, labels) == 0
    assert loss(trace + 1, labels).item() == pytest.approx(0.5 * trace.numel())


@pytest.mark.parametrize("times", [0, 1, 2])
def test_target_is_the_train_filtered_so_many_times(times):
    expected = torch.tensor([0, 1, 1, 0, 1], dtype=torch.float64)
    for _ in range(times):
        filtered, a = [], 0.0
        for value in expected:
            a = (1 - 1 / 3.0) * a + value / 3.0
            filtered.append(a)
        expected = torch.stack(filtered)
    torch.testing.assert_close(KernelLoss(5, 3.0, (0, 1, 1, 0, 1), times).target[:, 0], expected)


def test_kernel_loss_passes_gradcheck():
    trace = torch.rand(5, 4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a: KernelLoss(5, 3.0)(a, torch.tensor([0, 1, 2, 0])), trace)


def test_count_loss_passes_gradcheck_and_every_step_gets_delta():
    labels = torch.tensor([0, 1, 2, 0])
    trace = torch.rand(10, 4, 3, dtype=torch.float64, requires_grad=True)
    loss = CountLoss(8, 2)
    assert torch.autograd.gradcheck(lambda a: loss(a, labels), trace)
    (gradient,) = torch.autograd.grad(loss(trace, labels), trace)
    delta = (trace.sum(0) - 2) / 10
    delta[torch.arange(4), labels] = (trace.sum(0)[torch.arange(4), labels] - 8) / 10
    torch.testing.assert_close(gradient, delta.expand(10, 4, 3))


def test_count_loss_leaves_alone_what_is_beyond_its_count():
    trace = torch.zeros(4, 1, 2)
    trace[:, 0, 0] = 2.0  # the label has 8 of at least 5, the other class 0 of at most 3
    assert CountLoss(5, 3)(trace, torch.tensor([0])) == 0
    assert CountLoss(9, 3)(trace, torch.tensor([0])).item() == pytest.approx(0.5 * 4 * (1 / 4) ** 2)


def test_default_trains():
    assert default_desired_train(5) == (0, 1, 1, 1, 1)
    assert default_desired_train(10) == (0, 1) * 5
    with pytest.raises(ValueError, match="time_steps 7"):
        default_desired_train(7)


@pytest.mark.parametrize("train", [(0, 1), (0, 1, 2, 1, 1)])
def test_impossible_trains_are_refused(train):
    with pytest.raises(ValueError, match="desired_train"):
        KernelLoss(5, 3.0, train)


def test_a_trace_of_another_length_is_refused():
    with pytest.raises(ValueError, match="6 steps"):
        KernelLoss(5, 3.0)(torch.zeros(6, 1, 3), torch.tensor([0]))
