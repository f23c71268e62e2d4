"""Images in batches, with a report of how far it is."""

from collections.abc import Callable, Iterator

from torch import Tensor

Progress = Callable[[str, int], None]


def batches(images: Tensor, size: int, task: str, progress: Progress) -> Iterator[Tensor]:
    """Batches of at most `size` images; reports each one when the next is asked for."""
    for batch in images.split(size):
        yield batch
        progress(task, len(batch))
