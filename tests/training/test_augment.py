from pathlib import Path

import lightning as L
import pytest
import torch

from tests.training.official import noise
from zoo.training.augment import augment
from zoo.training.first_images import FirstImages
from zoo.training.image_data import ImageData
from zoo.training.module import FlowModule

IMAGES = noise(400, 3, 10, 10)


def test_without_flips_and_shifts_nothing_changes() -> None:
    assert torch.equal(augment(IMAGES, "none", 0.0, "test"), IMAGES)


def test_half_of_the_images_are_mirrored() -> None:
    made = augment(IMAGES, "horizontal", 0.0, "test")
    same = (made == IMAGES).flatten(1).all(1)
    mirrored = (made == IMAGES.flip(3)).flatten(1).all(1)
    assert (same ^ mirrored).all()
    assert 150 < same.sum() < 250


def test_all_eight_symmetries_are_equally_likely() -> None:
    made = augment(IMAGES, "all", 0.0, "test")
    turned = [IMAGES.rot90(turns, (2, 3)) for turns in range(4)]
    symmetries = torch.stack(turned + [image.flip(3) for image in turned])
    found = (symmetries == made).flatten(2).all(2)  # (8, B)
    assert (found.sum(0) == 1).all()
    assert ((found.sum(1) > 25) & (found.sum(1) < 80)).all()


def test_shifts_are_by_whole_pixels_and_repeat_the_edge() -> None:
    made = augment(IMAGES, "none", 0.2, "test")
    padded = torch.nn.functional.pad(IMAGES.float(), (2, 2, 2, 2), mode="replicate").byte()
    shifted = torch.stack(
        [padded[:, :, y : y + 10, x : x + 10] for y in range(5) for x in range(5)]
    )
    found = (shifted == made).flatten(2).all(2)  # (25, B)
    assert (found.sum(0) == 1).all()
    assert (found.sum(1) > 0).all()


def test_what_becomes_of_an_image_depends_on_the_seed_and_epoch_not_on_its_batch() -> None:
    whole = augment(IMAGES, "all", 0.2, 0, "augmentation", 3)
    parts = [augment(part, "all", 0.2, 0, "augmentation", 3) for part in IMAGES.split(7)]
    assert torch.equal(torch.cat(parts), whole)
    for other in (1, "augmentation", 3), (0, "augmentation", 4):
        assert not torch.equal(augment(IMAGES, "all", 0.2, *other), whole)


def test_a_shift_of_less_than_a_pixel_is_none() -> None:
    assert torch.equal(augment(IMAGES, "none", 0.09, "test"), IMAGES)


class Seen(FlowModule):
    """Keeps the batches that it is trained and validated on."""

    def training_step(self, images: torch.Tensor, batch_idx: int) -> torch.Tensor:
        self.trained = images
        return super().training_step(images, batch_idx)

    def validation_step(self, images: torch.Tensor, batch_idx: int) -> None:
        self.validated = images
        super().validation_step(images, batch_idx)


@pytest.mark.parametrize("flips", ["none", "all"])
def test_only_batches_of_training_are_augmented(flips: str, tmp_path) -> None:
    overrides = {"size": [8, 8], "steps": 1, "hidden_channels": 4}
    module = Seen("glow", "compact_mnist", overrides, schedule="constant")
    data = ImageData("digits", batch_size=32, eval_batch_size=100, val_images=100, flips=flips)
    trainer = L.Trainer(
        max_steps=1,
        val_check_interval=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        accelerator="cpu",
        default_root_dir=tmp_path,
    )
    trainer.fit(module, datamodule=data)
    assert torch.equal(module.validated, data.val[:])
    originals = {tuple(image.flatten().tolist()) for image in data.train[:]}
    known = [tuple(image.flatten().tolist()) in originals for image in module.trained]
    assert all(known) if flips == "none" else sum(known) < 20


def batches_from_the_first_images_on(folder: Path) -> list[tuple[torch.Tensor, bool]]:
    """Images that a flow takes in a run of one step, and whether ActNorm was set before."""
    overrides = {"size": [8, 8], "steps": 1, "hidden_channels": 4}
    module = Seen("glow", "compact_mnist", overrides, schedule="constant")
    seen, log_prob = [], module.flow.log_prob

    def recorded(images: torch.Tensor, **options: object) -> torch.Tensor:
        actnorm = module.flow.blocks[0].bijections[1]
        seen.append((images, bool(actnorm.initialized)))
        return log_prob(images, **options)

    module.flow.log_prob = recorded
    trainer = L.Trainer(
        max_steps=1,
        limit_val_batches=0,
        callbacks=[FirstImages(count=300)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        accelerator="cpu",
        default_root_dir=folder,
    )
    trainer.fit(module, datamodule=ImageData("digits", batch_size=32, val_images=100))
    return seen


def test_first_images_initialise_actnorm_from_more_than_a_batch(tmp_path: Path) -> None:
    seen = batches_from_the_first_images_on(tmp_path)
    assert [(len(images), initialized) for images, initialized in seen] == [
        (300, False),
        (32, True),
    ]
    assert len(seen[0][0].flatten(1).unique(dim=0)) > 290


def test_the_first_images_follow_from_the_seed(tmp_path: Path, monkeypatch) -> None:
    first = []
    for seed in (0, 0, 1):
        monkeypatch.setenv("PL_GLOBAL_SEED", str(seed))
        first.append(batches_from_the_first_images_on(tmp_path)[0][0])
    assert torch.equal(first[0], first[1])
    assert not torch.equal(first[0], first[2])
