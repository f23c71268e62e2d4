"""A run that is resumed anywhere goes on, bit for bit, as if it had not been interrupted."""

import csv
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.training.runs import OVERRIDES, run
from zoo.data import Images
from zoo.data.noise import dequantization_noise
from zoo.errors import ConfigError
from zoo.training.progress import rescale
from zoo.training.sampler import ShuffledSampler

# Where checkpoints are written, and from which steps a run of 24 steps is resumed. An epoch has 10
# batches, or 4 steps of up to 3 batches each.
RUNS = {
    # 10 is the end of an epoch, 20 of one with a validation right after it.
    "after batches": ({"checkpoint": {"every_n_train_steps": 1, "monitor": None}}, (3, 10, 20)),
    "after validations": ({}, (8, 20)),
    "by Muon": ({"model": {"optimizer": "muon"}}, (8,)),
    "after epochs": (
        {"trainer": {"val_check_interval": 1.0, "check_val_every_n_epoch": 1, "max_steps": 30}},
        (10, 20),
    ),
    "accumulating gradients": (
        {
            "trainer": {
                "accumulate_grad_batches": 3,
                "val_check_interval": 3,
                "check_val_every_n_epoch": 1,
                "max_steps": 10,
            },
            "checkpoint": {"every_n_train_steps": 1, "monitor": None},
        },
        (2, 4),
    ),
}


def values(folder: Path) -> dict[tuple[int, str], str]:
    """All that a run has logged, by step and name."""
    logged = {}
    for path in folder.rglob("metrics.csv"):
        for row in csv.DictReader(path.open()):
            step = int(row.pop("step"))
            logged |= {(step, name): value for name, value in row.items() if value}
    return logged


def states(checkpoint: Path) -> dict[str, Tensor | float]:
    """Averaged and current weights, optimiser and schedule, flat."""
    saved = torch.load(checkpoint, weights_only=True)
    parts = ("state_dict", "current_model_state", "averaging_state")
    flat = {f"{part}.{name}": value for part in parts for name, value in saved[part].items()}
    for i, moments in saved["optimizer_states"][0]["state"].items():
        flat |= {f"optimizer.{i}.{name}": value for name, value in moments.items()}
    flat |= {"schedule": saved["lr_schedulers"][0]["_last_lr"][0], "epoch": saved["epoch"]}
    return flat


def assert_equal_bits(a: dict[str, Tensor | float], b: dict[str, Tensor | float]) -> None:
    assert set(a) == set(b)
    different = [
        name for name in a if not torch.equal(torch.as_tensor(a[name]), torch.as_tensor(b[name]))
    ]
    assert not different


@pytest.mark.parametrize("name", RUNS)
def test_a_resumed_run_is_bit_equal_to_the_uninterrupted_one(name: str, tmp_path: Path) -> None:
    changes, steps = RUNS[name]
    end = run(tmp_path / "whole", **changes)
    whole = values(tmp_path / "whole")
    for step in steps:
        folder = tmp_path / str(step)
        again = run(folder, "--ckpt_path", str(end.with_name(f"step={step}.ckpt")), **changes)
        resumed = values(folder)
        assert {key for key in whole if key[0] >= step} == set(resumed)
        assert {key: whole[key] for key in resumed} == resumed
        assert_equal_bits(states(again), states(end))


def test_a_run_that_is_interrupted_twice_is_bit_equal_too(tmp_path: Path) -> None:
    changes = {"checkpoint": {"every_n_train_steps": 1, "monitor": None}}
    end = run(tmp_path / "whole", **changes)
    first = end.with_name("step=10.ckpt")
    second = run(tmp_path / "second", "--ckpt_path", str(first), **changes).with_name(
        "step=17.ckpt"
    )
    third = run(tmp_path / "third", "--ckpt_path", str(second), **changes)
    assert_equal_bits(states(third), states(end))


def test_a_run_that_is_over_can_go_on(tmp_path: Path) -> None:
    def changes(steps: int) -> dict:
        # No validation before the end: the only checkpoint is the one written there.
        trainer = {"max_steps": steps, "val_check_interval": 30}
        return {"model": {"schedule": "constant"}, "trainer": trainer}

    end = run(tmp_path / "whole", **changes(30))
    first = run(tmp_path / "first", **changes(13))
    again = run(tmp_path / "again", "--ckpt_path", str(first), **changes(30))
    assert_equal_bits(states(again), states(end))


def test_another_flow_of_the_same_shapes_is_not_resumed(tmp_path: Path) -> None:
    last = run(tmp_path / "a", trainer={"max_steps": 4})
    overrides = {**OVERRIDES, "preprocessing": "center", "gain_max": 0.9}
    message = "flow.gain_max is 0.95 there and 0.9 here; flow.preprocessing is 'wide_black' there"
    with pytest.raises(ConfigError) as error:
        run(tmp_path / "b", "--ckpt_path", str(last), model={"overrides": overrides})
    assert all(part in str(error.value) for part in message.split("; "))


def test_another_validation_split_is_not_resumed(tmp_path: Path) -> None:
    last = run(tmp_path / "a", trainer={"max_steps": 4})
    with pytest.raises(ConfigError, match="data.seed is 0 there and 1 here"):
        run(tmp_path / "b", "--ckpt_path", str(last), data={"seed": 1})
    with pytest.raises(ConfigError, match="data.splits is 'folders' there and 'none' here"):
        run(tmp_path / "b", "--ckpt_path", str(last), data={"splits": "none"})


def test_the_seed_of_a_run_is_kept_when_it_is_resumed(tmp_path: Path) -> None:
    end = run(tmp_path / "whole", "--seed_everything", "3")
    first = end.with_name("step=4.ckpt")
    again = run(tmp_path / "again", "--seed_everything", "4", "--ckpt_path", str(first))
    assert_equal_bits(states(again), states(end))


@pytest.mark.parametrize(("interval", "epochs"), [(4, 1), (3, None)])
def test_validation_within_a_step_is_refused(tmp_path: Path, interval, epochs) -> None:
    validation = {"val_check_interval": interval, "check_val_every_n_epoch": epochs}
    changes = {"trainer": {"accumulate_grad_batches": 3, **validation}}
    with pytest.raises(ConfigError, match="val_check_interval to a multiple"):
        run(tmp_path / "run", **changes)


def test_the_shares_of_ranks_are_disjoint_and_make_up_the_batches_of_one(monkeypatch) -> None:
    rows = Images(torch.arange(103))
    alone = list(ShuffledSampler(rows, 20, None))
    monkeypatch.setattr("zoo.training.sampler._distributed", lambda: True)
    monkeypatch.setattr("torch.distributed.get_world_size", lambda: 2)
    shares = []
    for rank in range(2):
        monkeypatch.setattr("torch.distributed.get_rank", lambda rank=rank: rank)
        shares.append(list(ShuffledSampler(rows, 10, None)))
    assert not set(shares[0]) & set(shares[1])
    for batch in range(5):
        both = {i for share in shares for i in share[10 * batch : 10 * batch + 10]}
        assert both == set(alone[20 * batch : 20 * batch + 20])


def test_the_order_is_another_in_every_epoch_and_for_every_seed(monkeypatch) -> None:
    rows = Images(torch.arange(50))

    def order(epoch: int, seed: int) -> list[int]:
        monkeypatch.setattr("zoo.training.sampler.place", lambda trainer: (epoch, 0))
        monkeypatch.setenv("PL_GLOBAL_SEED", str(seed))
        return list(ShuffledSampler(rows, 10, None))

    orders = [order(epoch, seed) for epoch in (0, 1) for seed in (0, 1)]
    assert len({tuple(order) for order in orders}) == 4
    assert all(sorted(order) == list(range(50)) for order in orders)


def test_another_global_batch_goes_on_at_the_same_image() -> None:
    def counters(batches: int) -> dict[str, int]:
        return {
            "ready": batches,
            "started": batches,
            "processed": batches,
            "completed": batches - 1,
        }

    def rescaled(total: int, current: int, last: bool, old: int, new: int) -> dict:
        batches = {"total": counters(total), "current": counters(current), "is_last_batch": last}
        checkpoint = {"loops": {"fit_loop": {"epoch_loop.batch_progress": batches}}}
        rescale(checkpoint, old, new, length=21)
        return batches

    expected = {"total": counters(26), "current": counters(6), "is_last_batch": False}
    assert rescaled(13, 3, False, old=64, new=32) == expected
    # 10 batches of 64 of 700 images are an epoch, as 21 of 32 are.
    assert rescaled(20, 10, True, old=64, new=32)["current"] == counters(21)
    # All whole batches that are left of an epoch may be behind it without its last one.
    ended = rescaled(11, 11, False, old=64, new=32)
    assert (ended["current"], ended["is_last_batch"]) == (counters(21), True)


def test_noise_is_uniform_and_a_function_of_image_and_key() -> None:
    images = torch.randint(0, 256, (64, 3, 16, 16), dtype=torch.uint8)
    noise = dequantization_noise(images, 0, "train", 1)
    assert noise.shape == images.shape
    assert noise.dtype == torch.float32
    assert 0 <= noise.min() < 1e-3
    assert 1 - 1e-3 < noise.max() < 1
    counts = torch.histc(noise, 64, 0, 1)
    # Chi-squared of 63 degrees of freedom: mean 63, deviation 11.
    chi_squared = ((counts - counts.mean()).square() / counts.mean()).sum()
    assert chi_squared < 63 + 5 * 11
    pairs = torch.corrcoef(noise.flatten(1))  # of images
    assert (pairs - torch.eye(64)).abs().max() < 5 / 768**0.5
    pixels = torch.corrcoef(noise.flatten(1).T)
    assert (pixels - torch.eye(768)).abs().max() < 6 / 64**0.5
    shuffled = torch.randperm(64)
    assert torch.equal(dequantization_noise(images[shuffled], 0, "train", 1), noise[shuffled])
    assert not torch.equal(dequantization_noise(images, 0, "train", 2), noise)
    assert not torch.equal(dequantization_noise(images, 1, "train", 1), noise)
