"""Flows with a Gaussian for each class at the last level."""

import json
import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal
from torch.testing import assert_close

import zoo
from tests.folders import folder_of, render_card, save_folder, save_golden, validate
from tests.test_flow import noise, tiny
from zoo import Flow
from zoo.architectures import ARCHITECTURES, build, config_from_json, config_to_json
from zoo.errors import ArgumentError, ConfigError, NonFiniteError
from zoo.folder import identity, make_golden
from zoo.folder.weights import identity_of

CLASSES = 3
LABELS = torch.tensor([2, 0, 1, 2])
every_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)


def conditional(architecture: str = "finc", **options) -> Flow:
    """A small flow with classes, far apart from each other."""
    flow = tiny(architecture, classes=CLASSES, steps=1, **options)
    with torch.no_grad():
        flow.prior.mean.add_(torch.linspace(-4, 4, CLASSES)[:, None])
        flow.prior.raw_log_scale.sub_(0.3)
    return flow


def without_classes(flow: Flow) -> Flow:
    """The same flow without classes."""
    config = flow.config.to_dict()
    del config["classes"]
    other = build(type(flow.config).from_dict(config))
    state = {k: v for k, v in flow.state_dict().items() if not k.startswith("prior.")}
    other.load_state_dict(state)
    return other.eval()


def oracle(flow: Flow, images: Tensor, u: Tensor, label: int) -> Tensor:
    """Log-density by the change of variables, number by number, of images of one class."""
    z, log_det = flow((images + u) / 256)
    *finer, last = flow.levels(z, (images.shape[2], images.shape[3]))
    scale = 7 * torch.tanh(flow.prior.raw_log_scale[label] / 7)
    of_class = Normal(flow.prior.mean[label][:, None, None], scale.exp()[:, None, None])
    parts = [Normal(0, 1).log_prob(part) for part in finer] + [of_class.log_prob(last)]
    total = sum(part.flatten(1).sum(1) for part in parts)
    return total + log_det - images[0].numel() * math.log(256)


@every_architecture
def test_log_prob_of_a_class_is_the_change_of_variables(architecture: str) -> None:
    flow, images = conditional(architecture).double(), noise()
    u = torch.rand(images.shape, dtype=torch.float64)
    with torch.no_grad():
        by_class = torch.stack([oracle(flow, images, u, label) for label in range(CLASSES)], 1)
    for label in range(CLASSES):
        assert_close(flow.log_prob(images, noise=u, label=label), by_class[:, label])
    own = by_class[torch.arange(len(images)), LABELS]
    assert_close(flow.log_prob(images, noise=u, label=LABELS), own)
    highest = by_class.amax(1)  # the densities themselves are below every float64
    marginal = (by_class - highest[:, None]).exp().mean(1).log() + highest
    assert_close(flow.log_prob(images, noise=u), marginal)
    bits = flow.bits_per_dim(images, noise=u, label=LABELS)
    assert_close(bits, -own / (images[0].numel() * math.log(2)))
    posterior = by_class - by_class.logsumexp(1, keepdim=True)
    assert_close(flow.classify(images, noise=u), posterior)
    assert_close(flow.log_prob(images, noise=u, label="each"), by_class)


@every_architecture
def test_encoding_and_log_det_know_nothing_of_classes(architecture: str) -> None:
    flow, images = conditional(architecture), noise()
    plain = without_classes(flow)
    z = flow.encode(images)
    assert torch.equal(z, plain.encode(images))
    assert torch.equal(flow.decode(z), images)
    x = (images + 0.5) / 256
    for found, wanted in zip(flow(x), plain(x), strict=True):
        assert torch.equal(found, wanted)
    for found, wanted in zip(flow.inverse(z), plain.inverse(z), strict=True):
        assert torch.equal(found, wanted)


def test_at_the_start_all_classes_are_standard_normal() -> None:
    flow = conditional()
    with torch.no_grad():
        flow.prior.mean.zero_()
        flow.prior.raw_log_scale.zero_()
    expected = without_classes(flow).log_prob(noise(), noise=0.5)
    assert_close(flow.log_prob(noise(), noise=0.5, label=1), expected)
    assert_close(flow.log_prob(noise(), noise=0.5), expected)
    assert_close(flow.classify(noise()), torch.full((4, CLASSES), -math.log(3)).double())


@pytest.mark.parametrize("levels", [1, 2])
@pytest.mark.parametrize("size", [(4, 4), (20, 8)])
def test_likelihoods_are_of_images_of_any_size(levels: int, size: tuple[int, int]) -> None:
    flow, images = conditional(levels=levels).double(), noise(size=size)
    u = torch.full(images.shape, 0.5, dtype=torch.float64)
    assert_close(flow.log_prob(images, noise=0.5, label=2), oracle(flow, images, u, 2).detach())
    assert flow.sample(2, size=size, label=1).shape == (2, 1, *size)


def test_latents_of_a_class_have_its_mean_and_scale() -> None:
    flow = conditional()
    generator = torch.Generator().manual_seed(0)
    finer, last = flow.levels(flow.draw(4000, label=2, generator=generator))
    assert_close(last.mean((0, 2, 3)), flow.prior.mean[2], atol=0.03, rtol=0)
    scale = (7 * torch.tanh(flow.prior.raw_log_scale[2] / 7)).exp()
    assert_close(last.std((0, 2, 3)), scale, atol=0.03, rtol=0)
    assert_close(finer.std(), torch.tensor(1.0), atol=0.03, rtol=0)
    finer, last = flow.levels(flow.draw(4, label=LABELS, temperature=0))
    assert not finer.any()
    means = flow.prior.mean[LABELS][:, :, None, None]
    assert torch.equal(last, means.expand_as(last))


@every_architecture
def test_samples_of_a_class_are_classified_as_it(architecture: str) -> None:
    flow = conditional(architecture, log_scale_max=0.5)
    label = torch.arange(30) % CLASSES
    images = flow.sample(30, label=label, generator=torch.Generator().manual_seed(0))
    assert (flow.classify(images).argmax(1) == label).double().mean() > 0.9


def test_a_label_is_drawn_if_it_is_not_given() -> None:
    flow = conditional()
    seed = torch.Generator().manual_seed(0)
    last = flow.levels(flow.draw(600, generator=seed))[-1].mean((1, 2, 3))
    nearest = (last[:, None] - flow.prior.mean.mean(1)).abs().argmin(1)
    assert (nearest.bincount() / 600).tolist() == pytest.approx([1 / 3] * 3, abs=0.06)
    images = flow.sample(3, generator=torch.Generator().manual_seed(1))
    assert torch.equal(images, flow.sample(3, generator=torch.Generator().manual_seed(1)))


@pytest.mark.parametrize("label", [LABELS, None], ids=["of a class", "of all"])
def test_gradients_reach_every_parameter_of_the_prior(label: Tensor | None) -> None:
    flow = tiny(classes=CLASSES).train()
    flow.log_prob(noise(), label=label).sum().backward()
    for parameter in flow.prior.parameters():
        assert (parameter.grad != 0).all()
    flow.zero_grad()
    flow.log_prob(noise(), label=1).sum().backward()
    assert not flow.prior.mean.grad[[0, 2]].any()
    assert (flow.prior.mean.grad[1] != 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_far_latents_have_finite_log_densities(dtype: torch.dtype) -> None:
    prior = conditional().to(dtype).prior
    z = torch.full((1, 96), 1e6, dtype=dtype)
    assert prior(z).isfinite().all()
    flow = conditional()
    torch.nn.init.constant_(flow.prior.mean[0, 0], torch.inf)
    with pytest.raises(NonFiniteError, match=r"log_prob is not finite for 4 of 4 images"):
        flow.classify(noise())


def test_draws_are_averaged_before_bayes_rule() -> None:
    flow, images = tiny(classes=CLASSES), noise()
    seeds = (torch.Generator().manual_seed(2) for _ in range(2))
    found = flow.classify(images, n_samples=3, generator=next(seeds))
    generator = next(seeds)
    draws = [flow.log_prob(images, label="each", generator=generator) for _ in range(3)]
    assert_close(found, torch.stack(draws).logsumexp(0).log_softmax(1))


# What is refused.

RANGE = r"label must be a class from 0 to 2, or 4 of them"


@pytest.mark.parametrize(
    "label",
    [
        3,
        -1,
        [0, 1],
        0.5,
        True,
        "two",
        "every",
        LABELS.float(),
        LABELS + 1,
        torch.zeros(4, 1).long(),
    ],
)
def test_labels_that_are_no_classes_are_refused(label) -> None:
    for call in (
        lambda: conditional().log_prob(noise(), label=label),
        lambda: conditional().sample(4, label=label),
    ):
        with pytest.raises(ArgumentError, match=RANGE):
            call()


def test_a_flow_without_classes_takes_no_label() -> None:
    for call in (
        lambda: tiny().log_prob(noise(), label=0),
        lambda: tiny().sample(2, label=0),
        lambda: tiny().classify(noise()),
    ):
        with pytest.raises(ArgumentError, match="this flow has no classes, so it takes no label"):
            call()


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (-1, "classes must be a positive integer; got -1"),
        (False, "classes must be a positive integer; got False"),
        ("10", "classes must be a positive integer; got '10'"),
        (10**9, "this flow would need gigabytes"),
    ],
)
def test_numbers_of_classes_that_are_none_are_refused(classes, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ARCHITECTURES["finc"].preset("compact_mnist", classes=classes)


# Off.


UNCONDITIONAL = sorted(set(zoo.list_models(pretrained=True)) - set(zoo.list_models("*conditional")))


@pytest.mark.parametrize("name", UNCONDITIONAL)
def test_published_flows_are_what_they_were(name: str) -> None:
    flow = zoo.load(name)
    assert flow.config.classes == 0
    assert flow.prior is None
    assert not [key for key in flow.state_dict() if key.startswith("prior")]
    document = config_to_json(flow.config)
    saved = json.loads((folder_of(name) / "config.json").read_text())
    assert document["flow"] == saved["flow"]
    said = config_from_json({**document, "flow": {**document["flow"], "classes": 0}})
    assert identity_of(said, saved["sha256"]) == identity(flow) == flow.origin["identity"]
    evaluation = json.loads((folder_of(name) / "eval.json").read_text())
    assert evaluation.get("identity", identity(flow)) == identity(flow)


def test_flows_without_classes_draw_what_they_drew() -> None:
    flow = tiny()
    z = torch.randn(3, 96, generator=torch.Generator().manual_seed(5)) * 0.7
    expected = flow.dequantize.inverse(flow.inverse(z)[0])[0].to(torch.uint8)
    seed = torch.Generator().manual_seed(5)
    assert torch.equal(flow.sample(3, temperature=0.7, generator=seed), expected)


def test_classes_are_part_of_the_identity() -> None:
    flow = conditional()
    assert config_to_json(flow.config)["flow"]["classes"] == CLASSES
    assert config_from_json(config_to_json(flow.config)) == flow.config
    assert identity(flow) != identity(without_classes(flow))


# Folders.


def test_a_folder_gives_the_same_flow_and_its_card_names_the_classes(tmp_path) -> None:
    flow = conditional()
    about = {"name": "tiny", "dataset": "digits", "class_names": ["cat", "dog", 7]}
    sha256 = save_folder(flow, tmp_path, about)
    save_golden(make_golden(flow), tmp_path)
    loaded = zoo.load(f"local-dir:{tmp_path}")
    assert loaded.origin["sha256"] == sha256
    assert loaded.about["class_names"] == ["cat", "dog", 7]
    assert torch.equal(loaded.classify(noise(), noise=0.5), flow.classify(noise(), noise=0.5))
    card = render_card(tmp_path)
    assert "It has 3 classes: cat, dog, 7." in card
    assert "flow.classify(images)" in card
    assert "ClassPrior" in card
    counted = sum(parameter.numel() for parameter in flow.parameters())
    rows = [line.split("|")[-2] for line in card.splitlines() if " x " in line and "|" in line]
    assert sum(int(cell.replace(",", "")) for cell in rows) == counted
    (tmp_path / "README.md").write_text(card)
    validate(tmp_path)


def test_the_published_configuration_has_ten_classes() -> None:
    preset = ARCHITECTURES["finc"].presets["compact_mnist_conditional"]
    assert zoo.load("finc_mnist_conditional").config == preset
    assert preset.classes == 10


def test_programs_of_torch_come_back_too(tmp_path) -> None:
    flow = conditional(size=(4, 4))
    encode, decode = flow.export(tmp_path, "torch")
    images = noise(size=(4, 4))
    (z,) = torch.export.load(encode).module()(images)
    assert_close(z, flow.encode(images))
    assert torch.equal(torch.export.load(decode).module()(z)[0], images)
