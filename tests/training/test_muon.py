"""Muon: hidden layers take steps of equal size in every direction; all else is Adam's."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from tests.training.runs import run
from zoo.architectures import list_architectures
from zoo.bijections.nets import ZeroConv
from zoo.training.checkpoints import read_checkpoint
from zoo.training.module import FlowModule
from zoo.training.muon import DECAY, Muon, hidden_apart, orthogonal


def gradients(*parameters: nn.Parameter) -> None:
    for parameter in parameters:
        parameter.grad = torch.randn(parameter.shape)


@pytest.mark.parametrize("shape", [(3, 16, 4, 3, 3), (2, 16, 16, 1, 1), (1, 8, 24), (4, 40, 5)])
def test_singular_values_are_near_one_and_vectors_stay(shape) -> None:
    torch.manual_seed(0)
    directions = torch.randn(shape)
    steps = orthogonal(directions).flatten(2)
    rows, columns = steps.shape[1:]
    u, values, v = torch.linalg.svd(directions.flatten(2), full_matrices=False)
    turned = u.mT @ steps @ v.mT / max(1, rows / columns) ** 0.5  # diagonal, were it exact
    found = turned.diagonal(dim1=1, dim2=2)
    # Values that are tiny beside the others need more iterations to get there.
    assert found[values > 0.05 * values[:, :1]].min() > 0.5
    assert found.max() < 1.3
    assert_close(turned, torch.diag_embed(found), atol=0.1, rtol=0)


@pytest.mark.parametrize("size", [0.0, 1e-38, 1e-25, 1e-12])
def test_a_gradient_of_next_to_nothing_moves_next_to_nothing(size: float) -> None:
    # The momentum of a layer whose units are all dead fades to 0 through all sizes.
    assert orthogonal(torch.full((2, 4, 6), size)).abs().max() < 0.01


@pytest.mark.parametrize("shape", [(12, 5), (5, 12), (8, 8)])
def test_matrices_move_as_by_torch_s_own(shape) -> None:
    torch.manual_seed(0)
    ours, theirs = (nn.Parameter(torch.ones(shape)) for _ in range(2))
    mine = Muon([{"params": [ours], "lr": 0.1, "hidden": True}], lr=0.1)
    other = torch.optim.Muon([theirs], lr=0.1, weight_decay=DECAY)
    for _ in range(4):
        gradients(ours)
        theirs.grad = ours.grad.clone()
        mine.step()
        other.step()
    assert_close(ours, theirs, atol=0.02, rtol=0)  # both compute in bfloat16


def test_all_else_moves_as_by_adam() -> None:
    torch.manual_seed(0)
    ours, theirs = (nn.Parameter(torch.ones(3, 4)) for _ in range(2))
    hidden = nn.Parameter(torch.ones(4, 4))
    groups = [{"params": [ours], "hidden": False}, {"params": [hidden], "lr": 0.1, "hidden": True}]
    mine, other = Muon(groups, lr=0.1), torch.optim.Adam([theirs], lr=0.1)
    for _ in range(3):
        gradients(ours, hidden)
        theirs.grad = ours.grad.clone()
        mine.step()
        other.step()
    assert_close(ours, theirs)


def test_a_weight_without_a_gradient_stays() -> None:
    weights = [nn.Parameter(torch.ones(4, 4)) for _ in range(2)]
    gradients(weights[0])
    Muon([{"params": weights, "lr": 0.1, "hidden": True}], lr=0.1).step()
    assert not torch.equal(weights[0], torch.ones(4, 4))
    assert torch.equal(weights[1], torch.ones(4, 4))


@pytest.mark.parametrize("architecture", list_architectures())
def test_hidden_are_the_convolutions_of_the_nets_that_do_not_start_at_zero(architecture) -> None:
    module = FlowModule(architecture, "compact_mnist", optimizer="muon")
    groups = list(hidden_apart(module._groups(), module))
    names = {id(p): name for name, p in module.named_parameters()}
    parts = [{names[id(p)] for p in group["params"]} for group in groups]
    assert [group["hidden"] for group in groups] == [False, True]
    assert [group["lr"] for group in groups] == [1e-3, 1e-2]
    assert not parts[0] & parts[1]
    assert parts[0] | parts[1] == set(names.values())
    owners = [module.get_submodule(name.rpartition(".")[0]) for name in parts[1]]
    assert owners
    assert all(isinstance(part, nn.Conv2d) and not isinstance(part, ZeroConv) for part in owners)


def test_groups_keep_their_own_rates() -> None:
    parts = [(nn.Conv2d(2, 3, 1), 0.1), (nn.Linear(2, 3), 0.0)]
    groups = [{"params": list(part.parameters()), "lr": lr} for part, lr in parts]
    apart = list(hidden_apart(groups, nn.ModuleList(part for part, _ in parts)))
    assert [group["lr"] for group in apart] == [0.1, 1.0, 0.0, 0.0]


def test_a_closure_sees_all_groups_and_runs_first() -> None:
    # Lightning clips gradients inside the closure, those of all groups.
    weights = [nn.Parameter(torch.ones(4, 4)) for _ in range(2)]
    groups = [{"params": [weight], "hidden": i == 1} for i, weight in enumerate(weights)]
    optimizer = Muon(groups, lr=0.1)

    def closure() -> torch.Tensor:
        assert len(optimizer.param_groups) == 2
        loss = (weights[0] * weights[1]).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure) == 16
    assert all((weight < 1).all() for weight in weights)


def test_a_recipe_trains_by_it(tmp_path) -> None:
    changes = {"model": {"optimizer": "muon", "schedule": "constant"}, "trainer": {"max_steps": 4}}
    saved = read_checkpoint(run(tmp_path, **changes))["optimizer_states"][0]
    others, hidden = saved["param_groups"]
    assert (others["lr"], hidden["lr"]) == (1e-3, 1e-2)
    assert all(set(saved["state"][i]) == {"momentum"} for i in hidden["params"])
    assert all("exp_avg" in saved["state"][i] for i in others["params"])
