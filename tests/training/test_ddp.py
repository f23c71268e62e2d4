"""Two ranks of Lightning's ddp strategy (gloo, on the CPU) do what one process does.

They are of two nodes, one each; tests/test_recipes.py has two on one node.
"""

import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
import yaml
from lightning.pytorch.strategies import FSDPStrategy
from torch.testing import assert_close

from tests.training.runs import recipe
from zoo.architectures import ARCHITECTURES
from zoo.data import load_images
from zoo.errors import ConfigError
from zoo.training.export_folder import load_checkpoint
from zoo.training.lightning_cli import train
from zoo.training.module import FlowModule

# Double precision, so that what differs is not rounding. 101 validation images in batches of 25 are
# 51 and 50 images on two ranks, and the last batch of the first one holds a single image.
CLOSE = {"rtol": 1e-7, "atol": 1e-9}
# As many images as do not divide evenly.
FIRST_IMAGES = {"class_path": "zoo.training.first_images.FirstImages", "init_args": {"count": 301}}
STEPS = 8  # of 2 batches each; an epoch has 10 batches


def write(path: Path, ranks: int, *callbacks: dict[str, Any], steps: int = STEPS) -> Path:
    """A recipe of a global batch of 128 images."""
    witness = {
        "class_path": "tests.training.ddp_rank.Witness",
        "init_args": {"path": f"{path.with_suffix('')}-{{rank}}.pt"},
    }
    trainer = {
        "accelerator": "cpu",
        "devices": 1,
        "num_nodes": ranks,
        "strategy": "ddp" if ranks > 1 else "auto",
        "precision": "64-true",
        "accumulate_grad_batches": 2,
        "max_steps": steps,
        "callbacks": [witness, *callbacks],
    }
    data = {"batch_size": 128 // ranks, "eval_batch_size": 25, "val_images": 101}
    folder = path.with_suffix("")
    folder.mkdir()
    path.write_text(yaml.safe_dump(recipe(folder, trainer=trainer, data=data)))
    return path


def checkpoint(path: Path, step: int) -> str:
    return str(path.with_suffix("") / "checkpoints" / f"step={step}.ckpt")


def start(rank: int, port: int, *arguments: object) -> subprocess.Popen[bytes]:
    """A rank, in the environment that torchrun makes on its node."""
    environment = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "WORLD_SIZE": 2,
        "LOCAL_WORLD_SIZE": 1,
        "RANK": rank,
        "LOCAL_RANK": 0,
        "GROUP_RANK": rank,
        "TORCHELASTIC_RUN_ID": "test_ddp",
        "OMP_NUM_THREADS": 1,
    }
    command = [sys.executable, "-m", "tests.training.ddp_rank", *map(str, arguments)]
    return subprocess.Popen(
        command, env={**os.environ, **{k: str(v) for k, v in environment.items()}}
    )


class Runs(NamedTuple):
    """One process's run, and the folder of two ranks' runs."""

    alone: Path
    folder: Path

    def seen(self, name: str, rank: int = 0) -> Any:
        return torch.load(self.folder / f"{name}-{rank}.pt", weights_only=True)


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Runs:
    folder = tmp_path_factory.mktemp("ddp")
    alone = write(folder / "alone.yaml", 1)
    train(["--config", str(alone)])
    write(folder / "whole.yaml", 2)
    write(folder / "resumed.yaml", 2)
    write(folder / "first.yaml", 2, FIRST_IMAGES, steps=1)
    write(folder / "poisoned.yaml", 2, {"class_path": "tests.training.ddp_rank.Poison"})
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ranks = [start(rank, port, folder, checkpoint(alone, 4)) for rank in range(2)]
    try:
        assert [rank.wait(timeout=300) for rank in ranks] == [0, 0]
    finally:
        for rank in ranks:
            rank.kill()
    return Runs(alone, folder)


def test_ranks_take_disjoint_shares_that_are_one_process_s_batches(runs) -> None:
    alone = runs.seen("alone")["images"]
    shares = [runs.seen("whole", rank)["images"] for rank in range(2)]
    assert torch.equal(torch.stack(shares, dim=1).flatten(0, 1), alone)
    assert len(alone) == len(load_images("digits", "", "train")) - 101 - 119  # 10 batches of 128


def test_actnorm_is_initialised_alike_on_every_rank_from_the_whole_first_batch(runs) -> None:
    alone, first, second = runs.seen("alone"), runs.seen("whole", 0), runs.seen("whole", 1)
    assert len(first["actnorm"]) > 4
    assert_close(first["actnorm"], second["actnorm"], rtol=0, atol=0)
    assert_close(first["actnorm"], alone["actnorm"], **CLOSE)


def test_the_first_images_are_those_of_all_ranks_together(runs) -> None:
    train(["--config", str(write(runs.folder / "first_alone.yaml", 1, FIRST_IMAGES, steps=1))])
    alone = runs.seen("first_alone")["actnorm"]
    for rank in range(2):
        assert_close(runs.seen("first", rank)["actnorm"], alone, **CLOSE)
    assert not torch.allclose(alone[0], runs.seen("alone")["actnorm"][0]), "of the first batch"


def test_two_ranks_train_as_one_process_does(runs) -> None:
    alone, first, second = runs.seen("alone"), runs.seen("whole", 0), runs.seen("whole", 1)
    assert_close(first["weights"], second["weights"], rtol=0, atol=0)
    assert_close(first["weights"], alone["weights"], **CLOSE)


def test_metrics_are_those_of_one_process_on_uneven_batches_too(runs) -> None:
    alone = runs.seen("alone")["metrics"]
    for rank in range(2):
        found = runs.seen("whole", rank)["metrics"]
        for name in ("val/bits_per_dim", "train/bits_per_dim", "train/gradient_norm"):
            assert_close(found[name], alone[name], **CLOSE)


@pytest.mark.parametrize("part", ["state_dict", "current_model_state"])
def test_averaged_weights_are_those_of_one_process(runs, part: str) -> None:
    alone, whole = (
        torch.load(checkpoint(path, STEPS), weights_only=True)[part]
        for path in (runs.alone, runs.folder / "whole.yaml")
    )
    assert_close(whole, alone, **CLOSE)


def test_a_checkpoint_of_one_process_resumes_on_two_ranks(runs) -> None:
    alone = runs.seen("alone")["weights"]
    for rank in range(2):
        assert_close(runs.seen("resumed", rank)["weights"], alone, **CLOSE)


def test_a_checkpoint_of_two_ranks_resumes_on_one_process(runs) -> None:
    back = write(runs.folder / "back.yaml", 1)
    train(["--config", str(back), "--ckpt_path", checkpoint(runs.folder / "whole.yaml", 4)])
    assert_close(runs.seen("back")["weights"], runs.seen("alone")["weights"], **CLOSE)
    flow, _ = load_checkpoint(Path(checkpoint(back, STEPS)))
    assert flow.log_prob(load_images("digits", "", "test")).isfinite().all()


def test_a_likelihood_that_is_not_finite_on_one_rank_stops_all(runs) -> None:
    here, there = ((runs.folder / f"error-{rank}.txt").read_text() for rank in (1, 0))
    assert here.startswith("step 1: the loss is NaN or infinite: blocks.0.bijections.1 (FInCUnit)")
    assert there.startswith("a likelihood is not finite on another rank")


def test_only_the_first_rank_draws_pictures(runs) -> None:
    assert len(runs.seen("pictures", 0)) == 2 * STEPS // 2
    assert runs.seen("pictures", 1) == []


def test_a_strategy_that_shards_the_flow_is_refused() -> None:
    module = FlowModule("finc", "compact_mnist", {"size": [8, 8], "steps": 1})
    module._trainer = SimpleNamespace(strategy=FSDPStrategy())
    with pytest.raises(ConfigError, match="FSDPStrategy shards the weights.* Set trainer.strategy"):
        module.setup("fit")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_parameter_gets_a_gradient(architecture: str) -> None:
    """Else ddp would need find_unused_parameters."""
    module = FlowModule(architecture, "compact_mnist", {"size": [8, 8], "steps": 1})
    module.log = lambda *_, **__: None  # there is no trainer
    module.training_step(load_images("digits", "", "test")[:8], 0).backward()
    assert [name for name, p in module.named_parameters() if p.grad is None] == []
