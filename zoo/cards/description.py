"""The description of a model on its card, and its use."""

import math

from zoo.cards.facts import GITHUB
from zoo.cards.figure_files import show
from zoo.cards.gallery import TEMPERATURE
from zoo.cards.markdown import fenced, join, table, times
from zoo.cards.notebook import badge
from zoo.cards.subject import Subject
from zoo.flow.levels import levels_of


def summary(subject: Subject) -> str:
    """A sentence on the model, its identity and its samples."""
    flow, paper = subject.flow, subject.architecture.paper
    kind = f"[{paper.title}]({paper.url})" if paper else subject.architecture.about
    shape = (flow.config.channels, *flow.config.size)
    return join(
        f"# {subject.folder.name}",
        f"{kind}, trained on {subject.data.title}: a "
        f"normalizing flow that turns an image of {times(shape)} into {math.prod(shape)} numbers, "
        "standard normal under the model, and these into the same image, bit for bit.",
        _classes(subject),
        f"Weights sha256 (over names, dtypes, shapes and bytes): `{subject.folder.sha256}`",
        badge(subject),
        show(subject, "samples.png"),
    )


def _classes(subject: Subject) -> str:
    """The classes of its last level, if it has some."""
    if not (classes := subject.flow.config.classes):
        return ""
    names = ", ".join(map(str, subject.about.get("class_names") or range(classes)))
    return (
        f"It has {classes} classes: {names}. Latents of the last level are not standard normal but "
        "Gaussian for each class, with a mean and a scale per channel. Encoding and decoding need "
        "no class. Likelihoods without one are those of all classes together, each equally likely. "
        "Samples below are in the order of the classes."
    )


def usage(subject: Subject) -> str:
    """Lines to paste: Python, torch.hub, command."""
    source = subject.source
    arguments = (
        f'"{source}", pretrained=True'
        if subject.published
        else f'"{subject.folder.architecture}", weights="{source}"'
    )
    shape = (4, subject.flow.config.channels, *subject.flow.config.size)
    return join(
        "## Usage",
        f"With [flowzoo](https://github.com/{GITHUB}), installed from a clone by `pip install .`:",
        fenced(
            f'import torch\nimport zoo\n\nflow = zoo.load("{source}")\n'
            f"images = torch.randint(0, 256, {shape}, dtype=torch.uint8)\n"
            "z = flow.encode(images)\n"
            "assert (flow.decode(z) == images).all()\n"
            "flow.bits_per_dim(images)\n"
            f"flow.sample(16, temperature={TEMPERATURE})"
            + "\nflow.sample(16, label=1)\nflow.classify(images).argmax(1)"
            * bool(subject.flow.config.classes),
            "python",
        ),
        "Without installing flowzoo:",
        fenced(
            f'import torch\n\nrepository = "{GITHUB}"\n'
            f"flow = torch.hub.load(repository, {arguments}, trust_repo=True)",
            "python",
        ),
        "On the command line:",
        fenced(
            f"flowzoo encode image.png -o z.safetensors --model {source}\n"
            "flowzoo decode z.safetensors -o decoded\n"
            f"flowzoo sample {source} -n 64 -o samples.png",
            "sh",
        ),
    )


def architecture(subject: Subject) -> str:
    """Its levels as a table and as a figure."""
    config, levels = subject.flow.config, levels_of(subject.flow)
    heads = ("level", "maps", "steps", "layers of a step", "then", "latents", "parameters")
    rows = [
        (
            *(str(i), times(level.maps), str(level.steps), ", ".join(level.step), level.end),
            *(times(level.latents), f"{level.parameters:,}"),
        )
        for i, level in enumerate(levels, start=1)
    ]
    return join(
        "## Architecture",
        f"Preprocessing: {config.preprocessing}. Width of the coupling nets: "
        f"{config.hidden_channels}. `config.json` has every field.",
        table(heads, rows),
        show(subject, "architecture.png"),
    )


def gallery(subject: Subject) -> str:
    """Pictures of what the flow does."""
    pictures = join(show(subject, "interpolation.png"), show(subject, "resampling.png"))
    return pictures and join("## Gallery", pictures)
