"""Preparation of images for a model, on its card."""

from zoo.cards.markdown import fenced, join, times
from zoo.cards.subject import Subject
from zoo.pictures import MODES


def preparation(subject: Subject) -> str:
    """Shapes that the flow takes, and lines that read files as such."""
    config = subject.flow.config
    return join(
        "## Prepare an image",
        f"The flow takes uint8 tensors (B, {config.channels}, H, W) of levels 0 to 255. It was "
        f"trained on {times(config.size)}; other sides divisible by {subject.flow.divisor} fit "
        f"too. Images unlike those of {subject.data.title} come back as exactly, and score worse.",
        _grey_levels(subject),
        _files(subject) if config.channels in MODES else "",
    )


def _files(subject: Subject) -> str:
    colours = "grey" if subject.flow.config.channels == 1 else "RGB"
    return join(
        fenced(
            f'import torch\nimport zoo\n\nflow = zoo.load("{subject.source}")\n'
            'images = torch.stack(zoo.read_images("image.png", flow, fit="crop"))\n'
            "z = flow.encode(images)",
            "python",
        ),
        f"This turns a picture upright and makes it {colours}. It cuts out the largest central "
        "part of the trained shape, and resizes it. A folder or a list of files gives a batch. "
        f'With `fit="pad"` or `fit="original"` no pixel is lost. '
        f'`zoo.get_weights("{subject.source}").transforms()` does the same for pictures of Pillow.',
    )


def _grey_levels(subject: Subject) -> str:
    """The way to give it images, if its data set's hold fewer than 256 grey levels."""
    levels = subject.about.get("grey_levels")
    if levels is None:
        return ""
    return (
        f"It was trained on images of {levels} grey levels spread over 256, and was evaluated on "
        f"such: `zoo.images.spread_levels(images, {levels})` spreads them, and "
        f"`zoo.images.gather_levels(decoded, {levels})` gives back what they were."
    )
