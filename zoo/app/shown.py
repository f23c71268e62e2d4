"""A flow of the page, with what its tabs show of it."""

from functools import cached_property

from zoo.devices import find_device
from zoo.latents import Directions
from zoo.latents.sample_directions import sample_directions
from zoo.sources import parse


class Shown:
    """A loaded flow, its folder, and the directions of its latents.

    Args:
        source: As for `zoo.load`.
        device: As for `zoo.load`.
        given: Its directions; by default those of attributes of its own samples, found when they
            are asked for first.

    Raises:
        FlowzooError: If it cannot be loaded, or the directions are another flow's.
    """

    def __init__(self, source: str, device: str, given: Directions | None = None) -> None:
        pinned = parse(source).pin()
        self.source, self.folder = str(pinned), pinned.folder()
        self.flow = pinned.load().to(find_device(device))
        self._given = given
        if given is not None:
            given.check_model(self.flow)

    @cached_property
    def directions(self) -> Directions:
        """Directions by name."""
        return self._given or sample_directions(self.flow)

    @property
    def levels(self) -> list[str]:
        """Names of the levels, finest first."""
        last = len(self.flow.blocks) - 1
        ends = {0: "finest", last: "coarsest"} if last else {}
        return [f"level {k}" + f", {ends[k]}" * (k in ends) for k in range(last + 1)]
