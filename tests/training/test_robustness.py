"""Training that goes wrong, or is ended from outside, says where and loses next to nothing."""

import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

import zoo
from tests.folders import export
from tests.training.runs import OVERRIDES, recipe, run
from tests.training.test_resume import assert_equal_bits, states
from zoo.bijections import Squeeze
from zoo.errors import ConfigError, NonFiniteError, WeightsError
from zoo.files import remove_abandoned
from zoo.training.checkpoints import read_checkpoint
from zoo.training.module import FlowModule

EVERY_STEP = {"every_n_train_steps": 1, "monitor": None}
IMAGES = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)

# `flowzoo train`, printing a line before each batch and in the middle of every write of a file; the
# write with the given number takes ten seconds from there on.
SCRIPT = """
import itertools, os, time
from zoo import cli, files
from zoo.training import module

write, slow, count = files.os.fdopen, int(os.environ["SLOW"]), itertools.count(1)

class Slow:
    def __init__(self, file): self.file = file
    def __enter__(self): return self
    def __exit__(self, *_): self.file.close()
    def write(self, data):
        self.file.write(data[: len(data) // 2]); self.file.flush()
        number = next(count)
        print("writing", number, flush=True)
        time.sleep(10 * (number == slow))
        self.file.write(data[len(data) // 2 :])

files.os.fdopen = lambda *arguments: Slow(write(*arguments))
step, validate = module.FlowModule.training_step, module.FlowModule.validation_step

def spoken_step(self, images, batch_idx):
    print("step", self.global_step, flush=True)
    return step(self, images, batch_idx)

def spoken_validation(self, images, batch_idx):
    print("validation", self.global_step, batch_idx, flush=True)
    validate(self, images, batch_idx)

module.FlowModule.training_step = spoken_step
module.FlowModule.validation_step = spoken_validation
cli.main()
"""


def train_until(folder: Path, line: str, number: int, slow: int = 0, **changes) -> tuple[int, str]:
    """Train in a subprocess, send a signal when a line is printed; its exit code and errors."""
    folder.mkdir(exist_ok=True)
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe(folder, **changes)))
    script = folder / "script.py"  # a file, which Lightning starts other ranks from
    script.write_text(SCRIPT)
    environment = {
        "OMP_NUM_THREADS": str(torch.get_num_threads()),
        "PYTHONPATH": str(Path(zoo.__file__).parents[1]),
        "SLOW": str(slow),
    }
    process = subprocess.Popen(
        [sys.executable, script, "train", "--config", folder / "recipe.yaml"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    for printed in process.stdout:
        if re.search(rf"{line}(?!\d)", printed):  # two ranks may print into one line
            process.send_signal(number)
            break
    _, errors = process.communicate(timeout=120)
    return process.returncode, errors


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """The last checkpoint of an uninterrupted run that writes one after every step."""
    return run(tmp_path_factory.mktemp("runs") / "whole", checkpoint=EVERY_STEP)


# After every step two checkpoints are written, step=N.ckpt and last.ckpt. The fourth write replaces
# the last.ckpt of step 1 by that of step 2.
@pytest.mark.parametrize(
    ("line", "slow", "steps", "last"), [("step 6", 0, 6, 6), ("writing 4", 4, 2, 1)]
)
def test_kill_9_loses_no_checkpoint(
    line: str, slow: int, steps: int, last: int, whole: Path, tmp_path: Path
) -> None:
    killed = tmp_path / "a" / "checkpoints"
    code, _ = train_until(tmp_path / "a", line, signal.SIGKILL, slow=slow, checkpoint=EVERY_STEP)
    assert code == -signal.SIGKILL
    written = [read_checkpoint(path)["global_step"] for path in killed.glob("step=*.ckpt")]
    assert sorted(written) == list(range(1, steps + 1))
    assert read_checkpoint(killed / "last.ckpt")["global_step"] == last
    left = list(killed.glob(".*"))
    assert len(left) == (last < steps), "half of a write"
    for path in left:
        os.utime(path, (0, 0))  # long ago
    again = run(tmp_path / "a", "--ckpt_path", "last", checkpoint=EVERY_STEP)
    assert_equal_bits(states(again), states(whole))
    assert {path.name for path in killed.iterdir()} == {
        path.name for path in whole.parent.iterdir()
    }


def test_what_may_still_be_written_is_not_removed(tmp_path: Path) -> None:
    for name in (".last.ckpt.abcdefgh", ".last.ckpt.12345678", ".notes.settings"):
        (tmp_path / name).touch()
        if name != ".last.ckpt.12345678":
            os.utime(tmp_path / name, (0, 0))
    remove_abandoned(tmp_path, ".ckpt")
    assert {path.name for path in tmp_path.iterdir()} == {".last.ckpt.12345678", ".notes.settings"}


def test_a_new_run_replaces_no_checkpoints_of_another(tmp_path: Path) -> None:
    last = run(tmp_path, trainer={"max_steps": 2}, checkpoint=EVERY_STEP).with_name("last.ckpt")
    before = {path: path.read_bytes() for path in last.parent.iterdir()}
    with pytest.raises(ConfigError, match=r"holds the checkpoints.* by --ckpt_path last, or start"):
        run(tmp_path, trainer={"max_steps": 1})
    assert {path: path.read_bytes() for path in last.parent.iterdir()} == before
    again = run(tmp_path, "--ckpt_path", "last", trainer={"max_steps": 3})
    assert read_checkpoint(again)["global_step"] == 3
    assert not list(last.parent.glob("last-*"))


@pytest.mark.parametrize("newest", ["step=900.ckpt", "terminated-step=1.ckpt"])
def test_the_newest_checkpoint_is_the_one_to_go_on_with(newest: str, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for seconds, name in enumerate(("step=3000.ckpt", "last.ckpt", newest)):
        (folder / name).touch()
        os.utime(folder / name, (seconds, seconds))
    with pytest.raises(ConfigError, match=rf"by --ckpt_path \S+{newest}, or start anew"):
        run(tmp_path)


def test_a_job_that_slurm_starts_again_goes_on(tmp_path: Path, whole: Path) -> None:
    first = run(tmp_path, trainer={"max_steps": 2}, checkpoint=EVERY_STEP)
    shutil.copy(first, tmp_path / "hpc_ckpt_1.ckpt")
    again = run(tmp_path, checkpoint=EVERY_STEP)
    assert_equal_bits(states(again), states(whole))


def test_what_is_no_file_of_the_run_is_not_resumed(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"there is no checkpoint .*checkpoints/last.ckpt"):
        run(tmp_path, "--ckpt_path", "last")
    with pytest.raises(ConfigError, match="--ckpt_path last needs checkpoint.dirpath"):
        run(tmp_path, "--ckpt_path", "last", checkpoint={"dirpath": None})
    with pytest.raises(WeightsError, match="s3://bucket/last.ckpt is not opened: fetch it"):
        run(tmp_path, "--ckpt_path", "s3://bucket/last.ckpt")


def test_sigterm_saves_after_the_step_and_the_run_can_go_on(tmp_path: Path) -> None:
    validation = {"val_check_interval": 3, "check_val_every_n_epoch": 1}
    trainer = {"accumulate_grad_batches": 3, "max_steps": 9, **validation}
    # Sent in the first of the three batches of a step.
    code, errors = train_until(tmp_path / "a", "step 5", signal.SIGTERM, trainer=trainer)
    assert code == 128 + signal.SIGTERM
    path = tmp_path / "a" / "checkpoints" / "terminated-step=6.ckpt"
    message = f"flowzoo: terminated after step 6. Go on with --ckpt_path '{path}'."
    assert errors.splitlines()[-1] == message
    assert "Traceback" not in errors
    again = run(tmp_path / "b", "--ckpt_path", str(path), trainer=trainer)
    whole = run(tmp_path / "whole", trainer=trainer)
    assert_equal_bits(states(again), states(whole))


def test_sigterm_in_validation_saves_after_its_batch(whole: Path, tmp_path: Path) -> None:
    data, every = {"eval_batch_size": 10}, {"checkpoint": EVERY_STEP}
    code, errors = train_until(tmp_path / "a", "validation 8 2", signal.SIGTERM, data=data, **every)
    assert code == 128 + signal.SIGTERM
    path = tmp_path / "a" / "checkpoints" / "terminated-step=8.ckpt"
    assert f"terminated after step 8. Go on with --ckpt_path '{path}'." in errors
    assert_equal_bits(states(path), states(whole.with_name("step=8.ckpt")))
    again = run(tmp_path / "b", "--ckpt_path", str(path), data=data, **every)
    assert_equal_bits(states(again), states(whole))


def test_sigterm_stops_all_ranks_after_the_same_step(tmp_path: Path) -> None:
    trainer = {"strategy": "ddp", "devices": 2, "max_steps": 10000}
    code, errors = train_until(tmp_path, "step 5", signal.SIGTERM, trainer=trainer)
    # Lightning kills the first rank if it looks just when another one has ended.
    assert code in (128 + signal.SIGTERM, -signal.SIGKILL), errors
    (path,) = (tmp_path / "checkpoints").glob("terminated-*")
    saved = read_checkpoint(path)
    assert saved["ranks"] == 2
    assert path.name == f"terminated-step={saved['global_step']}.ckpt"
    said = re.findall(r"flowzoo: terminated after step (\d+)", errors)
    assert set(said) == {str(saved["global_step"])}


class Evil:
    def __reduce__(self) -> tuple:
        return os.system, ("touch /tmp/flowzoo-was-here",)


def damaged_checkpoints(good: Path, folder: Path) -> dict[str, tuple[Path, str]]:
    """Files that are no checkpoints, and what is said of them."""
    paths = {name: folder / f"{name}.ckpt" for name in ("pickled", "cut", "empty", "text", "other")}
    saved = read_checkpoint(good)
    torch.save({**saved, "extra": Evil()}, paths["pickled"])
    paths["cut"].write_bytes(good.read_bytes()[:5000])
    paths["empty"].touch()
    paths["text"].write_text("not a checkpoint")
    torch.save({"weights": torch.zeros(2)}, paths["other"])
    said = {
        "pickled": "holds pickled objects",
        "cut": "is damaged",
        "empty": "is damaged",
        "text": "holds pickled objects, .* or is damaged",
        "other": "is not a checkpoint of flowzoo train",
    }
    missing = {"missing": (folder / "missing.ckpt", "there is no checkpoint")}
    return {name: (path, said[name]) for name, path in paths.items()} | missing


def test_a_checkpoint_that_is_none_is_refused_wherever_one_is_opened(
    whole: Path, tmp_path: Path
) -> None:
    for path, said in damaged_checkpoints(whole, tmp_path).values():
        with pytest.raises(WeightsError, match=said):
            export(path, tmp_path / "exported")
        with pytest.raises(WeightsError, match=said):
            run(tmp_path / "again", "--ckpt_path", str(path))
    with pytest.raises(WeightsError, match=r"newest first: .*pickled\.ckpt"):
        read_checkpoint(tmp_path / "missing.ckpt")


def test_a_pickle_is_refused_before_it_runs(tmp_path: Path) -> None:
    path = tmp_path / "evil.ckpt"
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(WeightsError, match="holds pickled objects"):
        read_checkpoint(path)
    assert not Path("/tmp/flowzoo-was-here").exists()


def test_the_command_says_so_on_one_line(whole: Path, tmp_path: Path, run) -> None:
    path = tmp_path / "recipe.yaml"
    model = {"architecture": "glow", "overrides": OVERRIDES}
    path.write_text(yaml.safe_dump(recipe(tmp_path, model=model)))
    code, _, errors = run("train", "--config", path, "--ckpt_path", whole)
    assert code == 2
    last = errors.splitlines()[-1]
    assert last.startswith("flowzoo: the checkpoint is of another flow than the recipe's: ")
    assert "architecture is 'finc' there and 'glow' here" in last


def test_a_resumed_run_takes_the_recipe_s_learning_rate(whole: Path, tmp_path: Path) -> None:
    first = str(whole.with_name("step=10.ckpt"))
    lower = run(tmp_path / "lower", "--ckpt_path", first, "--model.lr", "1e-4")
    before, after = (
        read_checkpoint(path)["lr_schedulers"][0]["_last_lr"][0]
        for path in (whole.with_name("step=20.ckpt"), lower.with_name("step=20.ckpt"))
    )
    assert after == pytest.approx(before / 10)


def test_a_run_is_not_resumed_with_another_optimiser(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="model.optimizer is 'adam' there and 'adamax' here"):
        run(tmp_path, "--ckpt_path", str(whole), "--model.optimizer", "adamax")


def broken_in_forward(module: FlowModule) -> str:
    # Infinite taps of one layer; every layer after it gives NaN too.
    torch.nn.init.constant_(module.flow.blocks[0].bijections[1].taps, float("inf"))
    return r"blocks\.0\.bijections\.1 \(FInCUnit\) was the first to give it"


def broken_in_a_net(module: FlowModule) -> str:
    torch.nn.init.constant_(module.flow.blocks[1].bijections[4].net[2].bias, float("nan"))
    return r"blocks\.1\.bijections\.4\.net\.2 \(Conv2d\) was the first to give it"


def broken_behind_all_layers(module: FlowModule) -> str:
    module.flow.flatten = lambda levels: torch.cat([x.flatten(1) for x in levels], 1) * torch.inf
    return "the prior, behind all layers, was the first to give it"


@pytest.mark.parametrize("spoil", [broken_in_forward, broken_in_a_net, broken_behind_all_layers])
def test_a_loss_that_is_not_finite_names_the_layer(spoil) -> None:
    module = FlowModule("finc", "compact_mnist", OVERRIDES)
    module.training_step(IMAGES, 0)  # initialises the ActNorms
    where = spoil(module)
    module.training_step(IMAGES, 0)
    with pytest.raises(NonFiniteError, match=f"step 0: the loss is NaN or infinite: {where}"):
        module.on_before_optimizer_step(None)  # type: ignore[arg-type]
    assert not any(m._forward_hooks for m in module.modules())


def test_a_gradient_that_is_not_finite_names_the_parameter() -> None:
    module = FlowModule("finc", "compact_mnist", OVERRIDES)
    for layer in (module.flow.blocks[0].bijections[1], module.flow.blocks[1].bijections[1]):
        layer.taps.grad = torch.full_like(layer.taps, float("nan"))
    where = r"blocks\.1\.bijections\.1\.taps \(FInCUnit\) was the first to get it, backwards"
    with pytest.raises(NonFiniteError, match=f"step 0: the gradient is NaN or infinite: {where}"):
        module.on_before_optimizer_step(None)  # type: ignore[arg-type]


def test_the_error_names_the_checkpoint_to_resume_from(
    whole: Path, tmp_path: Path, monkeypatch
) -> None:
    squeeze = Squeeze.forward
    calls: list[int] = []
    limit = 0

    def spoiled(self, x):  # the results of all but the first `limit` calls
        calls.append(1)
        y, log_det = squeeze(self, x)
        return (y * float("nan") if len(calls) > limit else y), log_det

    monkeypatch.setattr(Squeeze, "forward", spoiled)
    for name, healthy, arguments, hint in (
        ("none", 0, [], "step 0: .* start again; no checkpoint has been written"),
        ("written", 3, [], r"step 3: .*written/checkpoints/last.ckpt'"),
        ("resumed", 0, ["--ckpt_path", str(whole)], f"--ckpt_path '{whole}'"),
    ):
        calls.clear()
        limit = 2 * healthy  # two levels: two squeezes a batch
        trainer = {"limit_val_batches": 0, "max_steps": 30}
        with pytest.raises(NonFiniteError, match=hint):
            run(tmp_path / name, *arguments, trainer=trainer, checkpoint=EVERY_STEP)
