"""Fine-tuning: what is taken from another flow, what is mapped, and what stays as it is."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch import Tensor
from torch.testing import assert_close

import zoo.latents
from tests.folders import export, read_config, read_golden, save_folder, write_card
from tests.training.official import picture
from tests.training.runs import OVERRIDES, recipe, run
from zoo import Flow
from zoo.architectures import build, find_architecture
from zoo.bijections import ActNorm, Squeeze
from zoo.data import load_images
from zoo.errors import ConfigError, ImageError
from zoo.folder import content_hash
from zoo.folder.model_folder import EVALUATION
from zoo.images import gather_levels, spread_levels
from zoo.pictures import to_picture
from zoo.training import lightning_cli as cli
from zoo.training.checkpoints import read_checkpoint
from zoo.training.export_folder import load_checkpoint
from zoo.training.finetune import FineTune, frozen_levels, summary, transfer
from zoo.training.module import FlowModule

MAP = FineTune(channels="map")
SAME = {"rtol": 0, "atol": 0}
COLOURS = {"channels": 3, "colour_last": True}
ARCHITECTURES = ("glow", "cinc", "cinc_quad", "finc")


def flow(architecture: str, **changes) -> Flow:
    """A flow with weights that are all at random, as after training."""
    overrides = {**OVERRIDES, "steps": 2, **changes}
    made = build(find_architecture(architecture).preset("compact_mnist", **overrides)).eval()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    for module in made.modules():
        if isinstance(module, ActNorm):
            module.initialized.fill_(True)
    return made


def images(count: int = 4) -> Tensor:
    return torch.randint(0, 256, (count, 1, 8, 8), dtype=torch.uint8)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_grey_picture_gets_in_every_colour_the_latents_that_it_had(architecture: str) -> None:
    grey, coloured = flow(architecture), flow(architecture, **COLOURS)
    report = transfer(grey, coloured, MAP)
    x, noise = images(), torch.rand(4, 1, 8, 8)
    before = grey.levels(grey.encode_centres(x))
    after = coloured.levels(coloured.encode_centres(x.repeat(1, 3, 1, 1)))
    for old, new in zip(before, after, strict=True):
        for colour in range(3):
            assert_close(new[:, colour::3], old, atol=2e-4, rtol=2e-4)
    assert_close(
        coloured.bits_per_dim(x.repeat(1, 3, 1, 1), noise=noise.repeat(1, 3, 1, 1)),
        grey.bits_per_dim(x, noise=noise),
        atol=1e-4,
        rtol=1e-4,
    )
    everything = {*report["taken"], *report["adapted"]}
    assert everything == set(coloured.state_dict())
    assert "repeated for 3 colours" in summary(report)
    # Real colours, too, come back.
    colours = torch.randint(0, 256, (4, 3, 8, 8), dtype=torch.uint8)
    assert torch.equal(coloured.decode(coloured.encode(colours)), colours)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_colours_and_back_is_the_same_flow(architecture: str) -> None:
    grey, coloured, back = flow(architecture), flow(architecture, **COLOURS), flow(architecture)
    transfer(grey, coloured, MAP)
    report = transfer(coloured, back, MAP)
    assert set(report["adapted"].values()) == {"averaged over 3 colours"}
    x = images()
    assert_close(back.encode_centres(x), grey.encode_centres(x), atol=2e-4, rtol=2e-4)


@pytest.mark.parametrize("architecture", ["cinc", "finc"])
def test_colours_of_kernels_of_one_tap(architecture: str) -> None:
    grey = flow(architecture, kernel_size=1)
    coloured = flow(architecture, kernel_size=1, **COLOURS)
    transfer(grey, coloured, MAP)
    x = images()
    before = grey.levels(grey.encode_centres(x))
    after = coloured.levels(coloured.encode_centres(x.repeat(1, 3, 1, 1)))
    assert_close([part[:, ::3] for part in after], before, atol=2e-4, rtol=2e-4)


def test_colours_stay_neighbours_in_the_squeeze() -> None:
    x = torch.arange(2 * 3 * 4 * 4.0).view(1, 6, 4, 4)  # two channels of three colours
    y, _ = Squeeze(3)(x)
    for colour in range(3):
        assert torch.equal(y[:, colour::3], Squeeze()(x[:, colour::3])[0])
    assert torch.equal(Squeeze(3).inverse(y)[0], x)


def test_a_flow_of_the_same_kind_is_taken_whole_at_another_size() -> None:
    old, new = flow("finc"), flow("finc", size=[16, 16])
    report = transfer(old, new, FineTune())
    assert_close(new.state_dict(), old.state_dict(), rtol=0, atol=0)
    assert report == {"taken": list(old.state_dict()), "adapted": {}, "anew": []}


REFUSED = {
    "more steps": (flow("finc"), flow("finc", steps=3), MAP, "steps is 2 there, 3 here"),
    "another kind": (flow("glow"), flow("finc"), MAP, "kind is 'GlowConfig' there"),
    "not asked for": (flow("finc"), flow("finc", **COLOURS), FineTune(), "--finetune.channels map"),
    "colours apart": (flow("finc"), flow("finc", channels=3), MAP, "colour_last: true"),
    "a layer without a map": (
        flow("conf"),
        flow("conf", **COLOURS),
        MAP,
        r"blocks\.0\.bijections\.\d.* cannot be mapped",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_mapped_is_refused(name: str) -> None:
    source, target, options, message = REFUSED[name]
    with pytest.raises(ConfigError, match=message):
        transfer(source, target, options)


def test_levels_are_named_by_index_or_range() -> None:
    model = flow("finc", levels=3)
    assert frozen_levels(model, FineTune(freeze=[0, "1-2"])) == [0, 1, 2]
    for wrong, message in ((["all"], "levels like 0 or 0-1; got 'all'"), (["1-3"], "no level 3")):
        with pytest.raises(ConfigError, match=message):
            frozen_levels(model, FineTune(freeze=wrong))


def test_grey_levels_are_spread_over_256() -> None:
    values = torch.arange(32, dtype=torch.uint8).view(1, 1, 4, 8)
    spread = spread_levels(values, 32)
    assert spread.flatten().tolist() == list(range(4, 256, 8))
    assert torch.equal(spread // 8, values), "they can be told back"
    for wrong in (16, 1, 257, "32"):
        with pytest.raises(ImageError, match=f"grey_levels is {wrong}, .* values up to 31"):
            spread_levels(values, wrong)
    full = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(spread_levels(full, 256), full)
    for levels in range(2, 257):
        assert torch.equal(
            gather_levels(spread_levels(full[:levels], levels), levels), full[:levels]
        )


@pytest.fixture(scope="module")
def parent(tmp_path_factory) -> Flow:
    """A trained flow, in a folder."""
    folder = tmp_path_factory.mktemp("parent")
    trained, _ = load_checkpoint(run(folder / "run", trainer={"max_steps": 8}))
    save_folder(trained, folder / "model")
    trained.source = f"local-dir:{folder / 'model'}"  # type: ignore[assignment]
    return trained


def test_frozen_levels_do_not_move_by_a_bit_and_the_others_do(parent: Flow, tmp_path: Path) -> None:
    finetune = {"freeze": [0], "actnorm": "reinit"}
    last = run(tmp_path / "a", "--init_from", parent.source, finetune=finetune)
    saved = read_checkpoint(last)
    for state in (saved["state_dict"], saved["current_model_state"]):
        for name, value in parent.state_dict().items():
            moved = not torch.equal(state[f"flow.{name}"], value)
            fixed = name.startswith("blocks.0") or name.endswith(
                ("initialized", "permutation", "sign")
            )
            assert moved != fixed, name
    assert saved["transfer"]["anew"] == [
        name for name in parent.state_dict() if name.startswith("blocks.1") and is_actnorm(name)
    ]
    first = str(last.with_name("step=8.ckpt"))
    again = run(tmp_path / "b", "--ckpt_path", first, finetune=finetune)
    resumed = read_checkpoint(again)
    for part in ("state_dict", "current_model_state"):
        assert_close(resumed[part], saved[part], rtol=0, atol=0)
    assert resumed["transfer"] == saved["transfer"]


def test_frozen_levels_under_ddp(tmp_path: Path) -> None:
    trainer = {"max_steps": 2, "val_check_interval": 2, "strategy": "ddp", "devices": 1}
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe(tmp_path, trainer=trainer, finetune={"freeze": [0]})))
    # In a process of its own, for its group of processes and its environment would stay.
    command = [sys.executable, "-m", "zoo", "train", "--config", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_grey_flow_goes_on_with_colours(parent: Flow, tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        (tmp_path / split).mkdir()
        for i in range(16):
            picture(8, 8, seed=i).save(tmp_path / split / f"{i}.png")
    changes = {
        "data": {"name": "folder", "dir": str(tmp_path), "size": 8, "batch_size": 8},
        "trainer": {"max_steps": 2, "val_check_interval": 1},
    }
    options = ("--finetune.channels", "map", "--model.overrides", json.dumps(OVERRIDES | COLOURS))
    last = run(tmp_path / "a", *options, "--init_from", parent.source, **changes)
    report = read_checkpoint(last)["transfer"]
    assert set(report["adapted"].values()) == {"repeated for 3 colours"}
    first = str(last.with_name("step=1.ckpt"))
    again = run(tmp_path / "b", *options, "--ckpt_path", first, **changes)
    assert_close(read_checkpoint(again)["state_dict"], read_checkpoint(last)["state_dict"], **SAME)
    folder = export(again, tmp_path)
    assert read_config(folder)["parent"]["sha256"] == content_hash(parent.state_dict())
    x = load_images("folder", tmp_path, "test", size=(8, 8), channels=3)
    coloured = zoo.load(f"local-dir:{folder}")
    assert torch.equal(coloured.decode(coloured.encode(x)), x)


def is_actnorm(name: str) -> bool:
    return "raw_log_scale" in name or (name.endswith(("2.bias", "5.bias")) and ".net." not in name)


def test_actnorms_are_initialised_from_the_first_batch_or_kept(parent: Flow) -> None:
    x = torch.randint(0, 64, (64, 1, 8, 8), dtype=torch.uint8)
    for actnorm in ("keep", "reinit"):
        module = FlowModule("finc", "compact_mnist", OVERRIDES).train()
        module.finetune = FineTune(actnorm=actnorm)
        module.start_from(parent)
        seen = {}
        layer = module.flow.blocks[0].bijections[2]
        layer.register_forward_hook(lambda _, __, result, seen=seen: seen.update(y=result[0]))
        module.training_step(x, 0)
        std, mean = torch.std_mean(seen["y"].double(), (0, 2, 3), correction=0)
        standard = bool((mean.abs() < 1e-3).all() and ((std - 1).abs() < 1e-2).all())
        assert standard == (actnorm == "reinit")


def test_what_was_taken_learns_at_its_own_rate(parent: Flow, tmp_path: Path) -> None:
    finetune = {"actnorm": "reinit", "lr_factor": 0.0}
    model = {"schedule": "constant"}
    last = run(tmp_path / "a", "--init_from", parent.source, finetune=finetune, model=model)
    saved = read_checkpoint(last)
    assert [group["lr"] for group in saved["optimizer_states"][0]["param_groups"]] == [1e-3, 0.0]
    for name, value in parent.state_dict().items():
        moved = not torch.equal(saved["current_model_state"][f"flow.{name}"], value)
        assert moved == (name in saved["transfer"]["anew"]), name


def test_grey_levels_of_the_data_reach_the_flow(tmp_path: Path) -> None:
    # The digits hold values up to 240.
    with pytest.raises(ImageError, match="grey_levels is 32"):
        run(tmp_path, finetune={"grey_levels": 32})


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """A folder whose validation and test images are the same, all of 16 grey levels."""
    folder = tmp_path_factory.mktemp("pictures")
    for split, chosen in {"train": slice(64), "val": slice(64, 96), "test": slice(64, 96)}.items():
        (folder / split).mkdir()
        for i, image in enumerate(load_images("digits", "", "train")[chosen] // 16):
            to_picture(image).save(folder / split / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def said() -> list[str]:
    """Output of the run on those pictures."""
    return []


@pytest.fixture(scope="module")
def of_16_levels(pictures: Path, said: list[str], tmp_path_factory) -> Path:
    """An exported flow that was trained on them."""
    folder = tmp_path_factory.mktemp("of_16_levels")
    data = {"name": "folder", "dir": str(pictures), "size": 8, "grey": True, "batch_size": 32}
    options = {"data": data, "trainer": {"max_steps": 4}, "finetune": {"grey_levels": 16}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cli, "rank_zero_info", said.append)
        return export(run(folder / "run", **options), folder)


def test_grey_levels_are_reported(of_16_levels: Path, said: list[str]) -> None:
    assert said == ["finetune: images of 16 grey levels are spread over 256"]
    assert read_config(of_16_levels)["grey_levels"] == 16
    (drawn,) = (of_16_levels.parent / "run").glob("pictures/*4_reconstructions.png")
    assert np.asarray(Image.open(drawn)).max() > 200
    write_card(of_16_levels)
    assert "zoo.images.spread_levels(images, 16)" in (of_16_levels / "README.md").read_text()


def test_a_flow_is_evaluated_as_it_was_validated(of_16_levels, pictures, run) -> None:
    assert run("evaluate", f"local-dir:{of_16_levels}", "--data-dir", pictures)[0] == 0
    evaluated = json.loads((of_16_levels / EVALUATION).read_text())["bits_per_dim"]
    rows = csv.DictReader((of_16_levels.parent / "run" / "metrics.csv").open())
    logged = [float(row["val/bits_per_dim"]) for row in rows if row["val/bits_per_dim"]]
    assert evaluated == pytest.approx(logged[-1], abs=0.02)  # of another draw of the noise


def test_images_of_grey_levels_are_encoded_as_they_were_trained_on(
    of_16_levels, pictures, tmp_path, run
) -> None:
    model = f"local-dir:{of_16_levels}"
    arguments = ("--data", "folder", "--data-dir", pictures, "--out", tmp_path / "z")
    assert run("encode-dataset", model, *arguments)[0] == 0
    images = load_images("folder", pictures, "test", size=(8, 8), channels=1)
    latents = zoo.latents.load(tmp_path / "z")
    assert torch.equal(latents.decode(range(32)), images)
    assert_close(latents.gather(range(32)), zoo.load(model).encode(spread_levels(images, 16)))


def test_golden_images_are_those_that_the_flow_takes(tmp_path: Path) -> None:
    last = run(tmp_path / "run", trainer={"max_steps": 1}, finetune={"grey_levels": 250})
    golden = read_golden(export(last, tmp_path, data_dir=tmp_path))
    images = load_images("digits", "", "test")[:16]
    assert torch.equal(golden.images[:16], spread_levels(images, 250))
    assert not torch.equal(golden.images[:16], images)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"freeze": []}, r"finetune.freeze is \[0\] there and \[\] here"),
        ({"lr_factor": 1.0}, "finetune.lr_factor is 0.5 there and 1.0 here"),
        ({"grey_levels": None}, "finetune.grey_levels is 250 there and None here"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_run_is_resumed_with_its_own_options(started: Path, tmp_path, other, message) -> None:
    with pytest.raises(ConfigError, match=message):
        run(tmp_path, "--ckpt_path", str(started), finetune={**STARTED, **other})


STARTED = {"freeze": [0], "lr_factor": 0.5, "grey_levels": 250}


@pytest.fixture(scope="module")
def started(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("started")
    return run(folder, trainer={"max_steps": 1}, finetune=STARTED)
