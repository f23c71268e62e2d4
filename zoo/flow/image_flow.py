"""A multi-scale normalizing flow of images: exact latents, density, samples."""

import copy
import importlib
import math
import warnings
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast, overload

import torch
from torch import Tensor, nn

from zoo.bijections import Bijection, Chain, Dequantize
from zoo.bijections.cache import (
    Watch,
    WeightCache,
    again_if_changed,
    deferred,
    in_graph,
    in_transform,
    weights_of,
)
from zoo.bijections.preprocess import preprocessing
from zoo.config import FlowConfig
from zoo.devices import check_device, device_of, draw_normal
from zoo.errors import ImageError, LatentError, NonFiniteError, require
from zoo.exact import round_trip
from zoo.exact.amplification import amplification
from zoo.exact.certificate import (
    Certificate,
    StabilityWarning,
    coupling_certificates,
    layer_certificates,
    uncertified,
    worst_condition,
    worst_of,
)
from zoo.exact.full_precision import full_precision
from zoo.exact.patterns import hard_images, mosaics
from zoo.flow.arguments import (
    check_count,
    check_generator,
    check_label,
    check_latents,
    check_noise,
    check_size,
    temperatures,
)
from zoo.flow.class_prior import ClassPrior, Each, of_label
from zoo.flow.edits import Direction, check_levels, draw_levels, move
from zoo.flow.float64_host import where_float64_is
from zoo.flow.graphs import Replay, recordable
from zoo.flow.levels import overview
from zoo.flow.mixed_sizes import Encoded, Size, decode_all, encode_all
from zoo.flow.normal import log_normal
from zoo.flow.scores import Method, check_method, coded_bits, prior_map
from zoo.flow.too_large import check_memory
from zoo.images import check_continuous, check_images

Label = int | Sequence[int] | Tensor

# Layers are measured on images of at most so many times the training sides: it takes long.
LARGE = 4


class Flow(nn.Module):
    """Images -> preprocessing -> levels of bijections -> latents, and back.

    Latents are all factored-out parts of all levels, whitened by the learned priors and
    flattened: z ~ N(0, I) of D = C * H * W numbers. The flow is fully convolutional, so every
    method takes any H and W divisible by 2^levels, not only the size it was trained on. Autocast
    is switched off inside, and in evaluation TF32: in neither an image would come back.

    With config.classes the latents of the last level are Gaussian for each class, and the classes
    are equally likely. No latent depends on a label.

    Source: RealNVP (Dinh et al., 2017), section 3.6, for the multi-scale architecture.

    Args:
        config: Configuration that the flow was built from.
        levels: One chain per level. All but the last end in a whitening split, whose second half
            of the channels becomes latents; everything that leaves the last one does.

    Attributes:
        origin: Name and sha256 of the weights it was loaded with; None for random ones.
        about: Other entries of the config.json that it was loaded with, such as the data set.
    """

    origin: dict[str, str] | None = None
    about: Mapping[str, Any] = MappingProxyType({})
    blocks: Sequence[Chain]

    def __init__(self, config: FlowConfig, levels: Sequence[Chain]) -> None:
        super().__init__()
        self.config = config
        self.dequantize = Dequantize()
        self.preprocess = preprocessing(
            config.preprocessing, config.logit_alpha, config.black_share
        )
        self.blocks = nn.ModuleList(levels)  # type: ignore[assignment]
        self.prior: ClassPrior | None = None
        if config.classes:
            self.prior = ClassPrior(config.classes, self.level_shapes()[-1][0], len(levels))
        for name, bijection in self.named_bijections():
            bijection.name = name
        self._twin = WeightCache(max_entries=1)
        self._conditions = WeightCache()
        self._watch = Watch()
        self._graphs, self._captures = WeightCache(max_entries=8), False

    def __repr__(self) -> str:
        """Shapes and sizes, with a line for each level."""
        config = self.config
        count = sum(parameter.numel() for parameter in self.parameters())
        name = self.origin["name"] if self.origin else "random weights"
        return (
            f"{type(self).__name__} ({name}), {self.dtype} on {self.device}\n"
            f"images  {config.channels}x{config.size[0]}x{config.size[1]} uint8, or other sides "
            f"divisible by {self.divisor}\n"
            f"latents {config.channels * math.prod(config.size):,}, parameters {count:,}\n"
            f"{overview(self)}"
        )

    # The bijection of continuous images.

    @where_float64_is
    def forward(self, x: Tensor, *, trusted: bool = False) -> tuple[Tensor, Tensor]:
        """Map (B, C, H, W) in [0, 1] to latents (B, D) and log|det dz/dx| (B,) in float64.

        Args:
            x: Continuous images.
            trusted: Whether they are known to be in [0, 1], and the weights to be as before; a GPU
                must be waited for to see.

        Raises:
            ImageError: For another dtype, shape or device, and in evaluation for numbers beyond
                [0, 1].
        """
        values = not (trusted or self.training or in_transform())
        check_continuous(
            x, self.config.channels, self.divisor, self.dtype, self.device, values=values
        )
        self._watch.check(self, wait=not trusted)
        return self._run("forward", self._map, x)

    def _map(self, x: Tensor) -> tuple[Tensor, Tensor]:
        levels, log_det = self.to_levels(x)
        return self.flatten(levels), log_det

    def to_levels(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """Map x as `forward` does, to latents by level (B, C_l, H_l, W_l), without the check."""
        with self._precision(), _no_autocast(x.device.type):
            x, log_det = self.preprocess(x)
            total, latents = log_det.double(), []
            for block in self.blocks:
                x, log_det = block(x)
                total = total + log_det
                if block is not self.blocks[-1]:
                    x, z = x.chunk(2, dim=1)
                    latents.append(z)
            return [*latents, x], total

    @where_float64_is
    def inverse(
        self, z: Tensor, size: Size | None = None, *, trusted: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Map latents (B, D) to (B, C, H, W) in [0, 1] and log|det dx/dz| (B,) in float64.

        Args:
            z: Latents.
            size: (H, W); default: that of the training images.
            trusted: Whether a GPU is not waited for to see if the weights have changed.

        Raises:
            LatentError: For latents of another dtype, shape or device.
        """
        check_latents(z, self.dtype, self.device)
        self._watch.check(self, wait=not trusted)
        sides = self._check_size(size)
        return self._run(("inverse", sides), partial(self._unmap, size=sides), z)

    def _unmap(self, z: Tensor, size: Size) -> tuple[Tensor, Tensor]:
        return self.from_levels(self.levels(z, size))

    def from_levels(self, levels: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """The same, of the latents by level, as `levels` has them, and without the checks."""
        *latents, x = levels
        with self._precision(), _no_autocast(x.device.type):
            total = torch.zeros(x.shape[0], dtype=torch.float64, device=x.device)
            for block in reversed(self.blocks):
                if block is not self.blocks[-1]:
                    x = torch.cat([x, latents.pop()], dim=1)
                x, log_det = block.inverse(x)
                total = total + log_det
            x, log_det = self.preprocess.inverse(x)
            return x, total + log_det

    def capture(self, on: bool = True) -> "Flow":
        """Let a GPU replay `forward` and `inverse` as CUDA graphs, if `on`; returns the flow.

        In evaluation, without gradients, and in float32: the second call of a shape records it,
        and later ones take one launch each. Changed weights are noticed, as by all caches. Each of
        the last eight shapes keeps the memory of its call. Elsewhere this changes nothing.
        """
        self._captures = on
        return self

    def _run(
        self, key: Hashable, function: Callable[[Tensor], tuple[Tensor, Tensor]], x: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Call the function, by a graph if that is possible and wanted."""
        if not self.training and not in_graph():
            check_memory(x)
        if not self._captures or self.training or in_graph() or not recordable(x):
            return function(x)
        call = self._graphs.get((key, x.shape), self._weights(), lambda: Replay(function))
        return cast(tuple[Tensor, Tensor], call(x))

    def _precision(self) -> AbstractContextManager[None]:
        """No TF32, but in training, where it costs nothing, and in graphs, which keep their own."""
        free = self.training or torch.compiler.is_compiling()
        return nullcontext() if free else full_precision()

    # Exact latents.

    @overload
    def encode(self, images: Tensor, *, exact: bool = True) -> Tensor: ...

    @overload
    def encode(self, images: Any, *, exact: bool = True) -> list[Encoded]: ...

    @torch.no_grad()
    @where_float64_is
    def encode(self, images: Any, *, exact: bool = True) -> Tensor | list[Encoded]:
        """Encode images so that `decode` gives back the same images, bit for bit.

        Encodes bin centres (x + 1/2) / 256 and verifies the round trip, with a margin for
        decoding in other batch sizes and on other machines. Images for which float32 falls short
        are encoded in float64, and if that falls short too, their pixels are kept in the last bits
        of their latents (`zoo.exact.keepsake`). The latents are float64 then: store them as such.

        Args:
            images: uint8 (B, C, H, W), H and W divisible by 2^levels. Or a PIL image, a NumPy
                array (h, w, C) or (h, w), or a list of these and of tensors (C, h, w), of any
                sizes: they are padded with black, which `decode` removes again.
            exact: False skips the verification.

        Returns:
            (B, D), standard normal under the model; see `levels` for the order. For anything but
            a tensor a list of `Encoded`: the latents of each image with their size.

        Raises:
            ImageError: For anything but such images.
            TooLargeError: If memory would not suffice; says how much it takes.
            NotInvertibleError: If a layer is singular, or latents are NaN or infinite even in
                float64; names the images and the layer.
        """
        if not isinstance(images, Tensor):
            run = partial(self.encode, exact=exact)
            return encode_all(self.config, lambda stack: run(stack.to(self.device)), images)
        self._check(images)
        if exact:
            return again_if_changed(lambda: round_trip.encode(self, images))
        return self.at(torch.promote_types(self.dtype, torch.float32)).encode_centres(images)

    @overload
    def decode(self, z: Tensor, size: Size | None = None) -> Tensor: ...

    @overload
    def decode(self, z: Sequence[Encoded], size: None = None) -> list[Tensor]: ...

    @torch.no_grad()
    @where_float64_is
    def decode(
        self, z: Tensor | Sequence[Encoded], size: Size | None = None
    ) -> Tensor | list[Tensor]:
        """Decode latents (B, D) to uint8 images (B, C, H, W).

        float64 latents are decoded in float64, but for those that hold float32 numbers only, and
        those that keep the pixels of their image: `encode` verified them so.

        Args:
            z: From `encode`, or any float32 or float64 latents. A list of `Encoded` gives a list
                of images (C, h, w), of the sizes that they had.
            size: (H, W); needed for latents of another size than the training images. It is not
                in the latents: those of another shape with as many pixels would decode to a
                wrong image without it.

        Raises:
            LatentError: For a wrong dtype, shape, length or device, and for NaN or infinity.
            NonFiniteError: If an image is NaN or infinite, as from absurdly large latents.
        """
        if isinstance(z, list | tuple):
            return decode_all(lambda row, size: self.decode(row.to(self.device), size), z)
        if not isinstance(z, Tensor) or z.dtype not in (torch.float32, torch.float64):
            kind = z.dtype if isinstance(z, Tensor) else type(z).__name__
            raise LatentError(f"latents must be float32 or float64 (B, D) tensors; got {kind}.")
        check_device(z, self.device, "latents", LatentError)
        if not z.isfinite().all():
            raise LatentError("latents hold NaN or infinity; decode needs finite numbers.")
        self.levels(z, size)
        sides = self._check_size(size)
        return again_if_changed(lambda: self._to_images(*round_trip.decode(self, z, sides)))

    def encode_centres(self, images: Tensor) -> Tensor:
        """Latents (B, D) of the bin centres of images, unverified, in the flow's dtype."""
        x, _ = self.dequantize(images, noise=0.5, dtype=self.dtype)
        return self(x, trusted=True)[0]

    # Density.

    @where_float64_is
    def log_prob(
        self,
        images: Tensor,
        *,
        n_samples: int = 1,
        generator: torch.Generator | None = None,
        noise: Tensor | float | None = None,
        label: Label | Each | None = None,
        checked: bool = True,
    ) -> Tensor:
        """Log-likelihood of 8-bit images in nats, (B,) float64, by uniform dequantization.

        With a label that of images of this class; without one, of all classes together, each
        equally likely.

        One draw gives an unbiased estimate of a lower bound; n_samples=k gives the
        importance-weighted bound log(1/k sum_i p(x + u_i)), tighter with every k. A flow in
        evaluation keeps no graph of it, unless the noise requires a gradient: for one of the
        weights call `flow.train()` first.

        Args:
            images: uint8 (B, C, H, W), H and W divisible by 2^levels.
            n_samples: Number of draws k.
            generator: Generator that draws them, on its own device; torch's if not given.
            noise: (B, C, H, W) or one number, in [0, 1), in place of a draw.
            label: Class of all images, or (B,) of them, for a flow with classes; "each" gives
                (B, K), one for each class.
            checked: Whether noise, label and result are looked at, for which a GPU must be waited
                for.

        Source: Theis et al., 2016, section 3.1; Burda et al., 2016, for the weighted bound.

        Raises:
            ArgumentError: If n_samples is not a positive integer, the generator none of torch, or
                noise or label does not fit.
            ImageError: For anything but uint8 images of a fitting shape.
            NonFiniteError: If a likelihood is NaN or infinite; names the images.
        """
        self._check(images)
        check_count("n_samples", n_samples, 1)
        check_generator(generator)
        if checked:
            check_noise(noise, images)
        each = isinstance(label, str) and label == "each"
        if label is not None:
            classes = self._classes(0 if each else label, len(images), values=checked)
            label = label if each else classes
        graph = self.training or (isinstance(noise, Tensor) and noise.requires_grad)
        with torch.set_grad_enabled(graph and torch.is_grad_enabled()):
            draws: Iterable[tuple[Tensor, Tensor]] = (
                self.dequantize(images, noise, self.dtype, generator) for _ in range(n_samples)
            )
            if not checked:
                return self._log_prob_of(draws, label)
            if deferred(self.device):
                draws = list(draws)  # drawn once, if changed weights are noticed only afterwards
            return again_if_changed(lambda: self._finite(self._log_prob_of(draws, label), images))

    def _log_prob_of(self, draws: Iterable[tuple[Tensor, Tensor]], label: Any) -> Tensor:
        """Log of the mean likelihood of dequantized images, (B,), or (B, K) of each class."""
        found = []
        for x, log_volume in draws:
            z, log_det = self(x, trusted=True)
            if self.prior is None:
                found.append(log_normal(z) + log_det + log_volume)
            else:
                found.append(self.prior(z) + (log_det + log_volume)[:, None])
        mean = torch.stack(found).logsumexp(0) - math.log(len(found))
        return mean if self.prior is None or isinstance(label, str) else of_label(mean, label)

    def _finite(self, log_prob: Tensor, images: Tensor) -> Tensor:
        """The log-likelihoods, if all are finite."""
        finite = log_prob.detach().isfinite().reshape(len(images), -1).all(1)
        if not self.agree(finite):
            bad = (~finite).nonzero().flatten().tolist()
            raise NonFiniteError(
                f"log_prob is not finite for {len(bad)} of {len(images)} images, the first at "
                f"index {bad[0]}. {self._diagnosis(images)} Load an earlier checkpoint."
            )
        return log_prob

    def bits_per_dim(
        self,
        images: Tensor,
        *,
        n_samples: int = 1,
        generator: torch.Generator | None = None,
        noise: Tensor | float | None = None,
        label: Label | Each | None = None,
        checked: bool = True,
    ) -> Tensor:
        """-log_prob / (D ln 2) of 8-bit images, (B,) float64; arguments as for `log_prob`."""
        log_prob = self.log_prob(
            images,
            n_samples=n_samples,
            generator=generator,
            noise=noise,
            label=label,
            checked=checked,
        )
        return -log_prob / (math.prod(images.shape[1:]) * math.log(2))

    def _classes(self, label: Label | Each, n: int, *, values: bool = True) -> Tensor:
        return check_label(label, n, self.config.classes, self.device, values=values)

    def classify(self, images: Tensor, **options: Any) -> Tensor:
        """Log-probability of each class given the image, (B, K) float64, by Bayes' rule.

        All classes are equally likely before the image is seen. For other shares, add their
        logarithms and subtract `logsumexp` again.

        Args:
            images: uint8 (B, C, H, W), H and W divisible by 2^levels.
            **options: n_samples, generator and noise, as for `log_prob`.

        Raises:
            FlowzooError: As `log_prob` does, and for a flow without classes.
        """
        return self.log_prob(images, label="each", **options).log_softmax(1)

    @torch.no_grad()
    @where_float64_is
    def score(
        self,
        images: Tensor,
        method: Method = "complexity",
        *,
        typical: float | None = None,
        **options: Any,
    ) -> Tensor:
        """Score how unusual images are, (B,) float64 in bits/dim; the higher, the more unusual.

        - "likelihood" is bits/dim. It ranks smooth images as usual, whatever they show.
        - "typicality" is the distance of bits/dim from `typical`, that of the flow's own data.
        - "complexity" is bits/dim less those of lossless WebP or PNG: how much worse than a
          program for all images the flow codes this one.

        Source: Nalisnick et al., Detecting out-of-distribution inputs to deep generative models
        using typicality, 2019, for single images; Serrà et al., Input complexity and
        out-of-distribution detection with likelihood-based generative models, 2020, equation 2.

        Args:
            images: uint8 (B, C, H, W).
            method: One of the three.
            typical: Mean bits/dim of the flow's own data; for typicality, and needed there.
            **options: n_samples, generator and noise, as for `bits_per_dim`.

        Raises:
            ArgumentError: For another method, or an option that does not fit.
            ImageError: For anything but uint8 images of a fitting shape.
            NonFiniteError: If a likelihood is NaN or infinite.
        """
        check_method(method, typical)
        bits = self.bits_per_dim(images, **options)
        if typical is not None:
            return (bits - typical).abs()
        return bits - coded_bits(images) if method == "complexity" else bits

    @torch.no_grad()
    @where_float64_is
    def likelihood_map(self, images: Tensor) -> Tensor:
        """Log-density of each latent, level by level, where it lies in the image.

        A latent position stands for a square of pixels. Its channels are summed, and the sum is
        spread evenly over the square. Log-determinants have no place in an image and are left out:
        the sum of a map is the log-density of the latents, not that of the image. It shows where
        an image differs from what the flow expects given all coarser levels.

        Returns:
            (B, L, H, W) float64 in nats, finest level first.

        Raises:
            ImageError: For anything but uint8 images of a fitting shape.
        """
        self._check(images)
        size = (images.shape[2], images.shape[3])
        return prior_map(self.levels(self.encode(images, exact=False), size), size)

    # Samples.

    @torch.no_grad()
    @where_float64_is
    def sample(
        self,
        n: int = 1,
        *,
        temperature: float | Sequence[float] | Tensor = 1.0,
        size: Size | None = None,
        generator: torch.Generator | None = None,
        label: Label | None = None,
    ) -> Tensor:
        """Draw n images, uint8 (n, C, H, W), from latents of standard deviation `temperature`.

        Args:
            n: Number of images.
            temperature: One number; n of them, one for each image; or (1, L) or (n, L) of them,
                one for each level, finest first.
            size: (H, W); default: that of the training images.
            generator: Generator that draws the latents, on its own device; torch's if not given.
            label: Class of all images, or (n,) of them, for a flow with classes, which draws them
                too if they are not given. The temperature is then relative to the class.

        Raises:
            ArgumentError: If n, a temperature or a label is out of range, or the generator none of
                torch.
            ImageError: If the size is not (H, W) divisible by 2^levels.
            NonFiniteError: If a sample is NaN or infinite, rather than hiding it.
        """
        z = self.draw(n, temperature=temperature, size=size, generator=generator, label=label)
        sides = self._check_size(size)
        return again_if_changed(lambda: self._to_images(*self.inverse(z, sides, trusted=True)))

    @torch.no_grad()
    @where_float64_is
    def draw(
        self,
        n: int = 1,
        *,
        temperature: float | Sequence[float] | Tensor = 1.0,
        size: Size | None = None,
        generator: torch.Generator | None = None,
        label: Label | None = None,
    ) -> Tensor:
        """Draw the latents (n, D) of samples; arguments as for `sample`."""
        check_count("n", n, 1)
        check_generator(generator)
        sides = self._check_size(size)
        lengths = [math.prod(shape) for shape in self.level_shapes(sides)]
        weight = next(self.parameters())
        z = draw_normal((n, sum(lengths)), generator, weight)
        z = z * temperatures(temperature, n, lengths, weight)
        if label is None and self.prior is not None:
            device = device_of(generator, self.device)
            label = torch.randint(self.config.classes, (n,), generator=generator, device=device)
        if label is None:
            return z
        label = self._classes(label, n)
        assert self.prior is not None
        return self.prior.latents(z, label)

    @staticmethod
    def finite(x: Tensor, log_det: Tensor) -> Tensor:
        """Find the finite images x of `inverse`, (B,) bool, from both of its results.

        The sigmoid of a logit flow turns infinities into black and white; its log_det does not.
        """
        return x.isfinite().flatten(1).all(1) & log_det.isfinite()

    @torch.no_grad()
    @where_float64_is
    def interpolate(self, a: Tensor, b: Tensor, steps: int = 8) -> Tensor:
        """Images along the great circle between the latents of a and b; the ends are exact.

        Args:
            a: uint8 (B, C, H, W).
            b: Like a.
            steps: Number of images per pair, both ends included; at least 2.

        Returns:
            uint8 (B, steps, C, H, W).
        """
        self._check(a)
        self._check(b)
        if a.shape != b.shape:
            raise ImageError(
                f"a and b must have one shape; got {tuple(a.shape)}, {tuple(b.shape)}."
            )
        check_count("steps, both ends included,", steps, 2)
        z = self.encode(torch.cat([a, b]))
        path = _great_circle(z[: len(a)].double(), z[len(a) :].double(), steps)  # (B, steps, D)
        path[:, 0], path[:, -1] = z[: len(a)], z[len(a) :]
        # Decode in the precision in which the ends were verified.
        images = self.decode(path.flatten(0, 1).to(z.dtype), (a.shape[2], a.shape[3]))
        return images.unflatten(0, (len(a), steps))

    @torch.no_grad()
    @where_float64_is
    def edit(
        self, images: Tensor, direction: Direction | Tensor, alpha: float | Sequence[float] | Tensor
    ) -> Tensor:
        """Images of latents z + alpha * direction, uint8 (B, C, H, W); of alpha 0 the same ones.

        Source: CInC Flow (Nagar et al., 2021), for the step.

        Args:
            images: uint8 (B, C, H, W).
            direction: One of `zoo.directions`, or a vector (D,), such as a sum of several.
            alpha: Length of the step, one number or one for each image. Latents lie about
                sqrt(D) from 0, and 1 is a standard deviation of theirs along a unit vector.

        Raises:
            LatentError: If the direction is of another flow or another size of images.
            ArgumentError: If alpha is no number, or not as many as images.
            ImageError: For anything but uint8 images of a fitting shape.
            NonFiniteError: If an edited image is NaN or infinite: alpha is too large.
        """
        self._check(images)
        z, size = self.encode(images), (images.shape[2], images.shape[3])
        vector = direction.of(self, size) if hasattr(direction, "of") else direction
        return self.decode(move(z, vector, alpha), size)

    @torch.no_grad()
    @where_float64_is
    def resample(
        self,
        images: Tensor,
        levels: int | Sequence[int],
        *,
        temperature: float | Sequence[float] | Tensor = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Images with some levels of their latents drawn anew, uint8 (B, C, H, W).

        Args:
            images: uint8 (B, C, H, W).
            levels: Numbers of the levels to draw: 0 is the finest, -1 the coarsest.
            temperature: Standard deviation of what is drawn, as for `sample`.
            generator: Generator that draws, on its own device; torch's if not given.

        Raises:
            ArgumentError: If there are no such levels, or a temperature is out of range.
            ImageError: For anything but uint8 images of a fitting shape.
            NonFiniteError: If an image is NaN or infinite.
        """
        self._check(images)
        check_levels(levels, len(self.blocks))  # before anything takes long
        z, size = self.encode(images), (images.shape[2], images.shape[3])
        z = self.redraw(z, levels, temperature=temperature, generator=generator, size=size)
        return self.decode(z, size)

    def redraw(
        self,
        z: Tensor,
        levels: int | Sequence[int],
        *,
        temperature: float | Sequence[float] | Tensor = 1.0,
        generator: torch.Generator | None = None,
        size: Size | None = None,
    ) -> Tensor:
        """Latents (B, D) with some levels drawn anew; arguments as for `resample` and `decode`."""
        old = self.levels(z, size)
        chosen = check_levels(levels, len(old))
        check_generator(generator)
        noise = self.flatten(draw_levels(old, chosen, generator))
        deviations = temperatures(temperature, len(z), [part[0].numel() for part in old], z)
        fresh = self.levels(noise * deviations, size)
        return self.flatten([fresh[k] if k in chosen else part for k, part in enumerate(old)])

    # The parts of a latent.

    def level_shapes(self, size: Size | None = None) -> list[tuple[int, int, int]]:
        """(C_l, H_l, W_l) of each part of the latents, for images of (H, W) = size."""
        height, width = self._check_size(size)
        channels, shapes = self.config.channels, []
        for _ in range(len(self.blocks) - 1):
            channels, height, width = 2 * channels, height // 2, width // 2
            shapes.append((channels, height, width))
        return [*shapes, (4 * channels, height // 2, width // 2)]

    def levels(self, z: Tensor, size: Size | None = None) -> list[Tensor]:
        """Views (B, C_l, H_l, W_l) of flat latents z (B, D) of a size: finest first."""
        shapes = self.level_shapes(size)
        lengths = [math.prod(shape) for shape in shapes]
        if not isinstance(z, Tensor):
            raise LatentError(f"latents must be (B, D) tensors; got {type(z).__name__}.")
        if z.dim() != 2 or z.shape[0] == 0 or z.shape[1] != sum(lengths):
            height, width = size or self.config.size
            raise LatentError(
                f"latents of {height} x {width} images are of shape (B, {sum(lengths)}); "
                f"got {tuple(z.shape)}. For another size pass size=(H, W)."
            )
        parts = z.split(lengths, dim=1)
        return [part.unflatten(1, shape) for part, shape in zip(parts, shapes, strict=True)]

    @staticmethod
    def flatten(levels: Sequence[Tensor]) -> Tensor:
        """Inverse of `levels`: (B, C_l, H_l, W_l) parts to flat latents (B, D)."""
        return torch.cat([level.flatten(1) for level in levels], dim=1)

    # The flow itself.

    def push_to_hub(
        self, repo_id: str, *, dataset: str, license: str | None = None, **options: Any
    ) -> str:
        """Publish this flow on the Hugging Face Hub, with its card and with what it comes from.

        Evaluation, recipe and figures, which only a folder has, are removed from a repository that
        has some: `flowzoo push` publishes a folder. What config.json said when the weights were
        loaded is kept while they are the same.

        Args:
            repo_id: "OWNER/REPO"; created if missing.
            dataset: Data set that it was trained on, for the card.
            license: Licence of the weights, such as "apache-2.0", for the card; by default that
                they were loaded with, or none.
            **options: private, tag, revision and token, as for `zoo.publish.push`.

        Returns:
            What `zoo.load` takes: "hf-hub:OWNER/REPO@COMMIT".

        Raises:
            ArgumentError: If the Hub knows no such licence.
            HubError: If the Hub refuses, or cannot be reached.
            NotInvertibleError: If its round trip is not exact; nothing is uploaded then.
        """
        return require("zoo.publish", "train").push_flow(self, repo_id, dataset, license, **options)

    def save(self, folder: str | Path, *, dataset: str | None = None, **options: Any) -> Path:
        """Write a whole model's folder, which `zoo.load("local-dir:...")` and the commands take.

        It holds config.json, the weights, golden tensors and the card. What config.json said when
        the weights were loaded is kept while they are the same; of changed ones it names these as
        their parent.

        Args:
            folder: A new one, or a model's, which is replaced; notes in it are kept.
            dataset: Data set that it was trained on: its name, or a title. Weights that are as they
                were loaded have one already.
            **options: name (default: that of the folder), license, recipe (its text), and natural
                (images to show that may be passed on), as for `zoo.cards.save_flow`.

        Returns:
            The folder.

        Raises:
            ArgumentError: If the place is taken by anything else, or an option is wrong.
            NotInvertibleError: If an image has latents that are NaN or infinite.
        """
        save_flow = require("zoo.cards", "train").save_flow
        path: Path = save_flow(self, folder, dataset=dataset, **options).path
        return path

    # The names of the Hub's client.
    save_pretrained = save

    @staticmethod
    def from_pretrained(source: str, **options: Any) -> "Flow":
        """Load a flow from a source: `zoo.load` by another name, with its options."""
        flow: Flow = importlib.import_module("zoo.sources").load(source, **options)
        return flow

    def export(self, folder: str | Path, format: str = "onnx", **options: Any) -> list[Path]:
        """Write programs that run without flowzoo, once images came back through them.

        Args:
            folder: Folder for the files; each is named by what it computes.
            format: "onnx" (needs the extra `onnx`) or "torch", for `torch.export.load`.
            **options: what is "encode", "decode", "both" of them (default), "forward" or
                "inverse"; size and batch are as for `zoo.export.trace`; images, uint8
                (B, C, H, W), are sent through too, besides golden and hard ones;
                allow_inexact=True writes files that lose images, and says so in their metadata.

        Returns:
            The files.

        Raises:
            ArgumentError: For options out of their range.
            NotInvertibleError: If images do not come back, with their number and the reason.
        """
        files: list[Path] = require("zoo.export", "onnx").export(self, folder, format, **options)
        return files

    @torch.no_grad()
    @where_float64_is
    def certify(self, images: Tensor | None = None) -> Certificate:
        """Certify the inverse: bounds of layers and couplings are proven, the whole is measured.

        A `StabilityWarning` names layers for which float32 may not be enough.

        Args:
            images: uint8 images to measure on, also their size; by default patterns and noise.
        """
        if images is None:
            images = hard_images(self.config.channels, self.config.size)
        check_images(images, self.config.channels, self.divisor)
        self._watch.check(self)
        images = images.to(self.device)
        layers = [layer for _, layer in self.named_bijections()]
        wide = self.at(torch.promote_types(self.dtype, torch.float32))  # as `encode` does
        trips = round_trip.round_trip_error(wide, images, wide.encode(images, exact=False))
        certified = layer_certificates(self._levels, (images.shape[2], images.shape[3]))
        return Certificate(
            layers=certified,
            couplings=coupling_certificates(layers),
            uncertified=uncertified(layers, certified),
            amplification=float(amplification(self, images).max()),
            amplification_at_twice=float(amplification(self, mosaics(images)).max()),
            round_trip=float(trips.max()),
            dtype=str(wide.dtype).removeprefix("torch."),
            images=len(images),
        )

    def named_bijections(self) -> Iterator[tuple[str, Bijection]]:
        """Name and layer of every bijection that is not a chain of others, first to last."""
        yield "preprocess", self.preprocess
        for i, block in enumerate(self.blocks):
            for j, layer in enumerate(block.bijections):
                yield f"blocks.{i}.bijections.{j}", layer

    @property
    def divisor(self) -> int:
        """Divisor of H and W: 2^levels."""
        return 2 ** len(self.blocks)

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights."""
        return next(self.parameters()).dtype

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return next(self.parameters()).device

    def at(self, dtype: torch.dtype, device: torch.device | None = None) -> "Flow":
        """This flow, or a copy in another dtype or on another device, kept until weights change."""
        device = device or self.device
        if (dtype, device) == (self.dtype, self.device):
            return self
        self._watch.check(self)
        return self._twin.get(
            (dtype, device), self._weights(), lambda: copy.deepcopy(self).to(device, dtype).eval()
        )

    def agree(self, right: Tensor) -> bool:
        """Whether all of (B,) are right; notices too if the weights are not those of the results.

        Raises:
            ChangedError: If they are not, for `again_if_changed`.
        """
        return self._watch.agree(right)

    def worst_condition(self, size: Size) -> float:
        """The largest condition number of a layer for images of (H, W) = size; remembered."""
        self._watch.begin(self)
        return self._conditions.get(size, self._weights(), lambda: self._compute_condition(size))

    def _compute_condition(self, size: Size) -> float:
        """The same, measured on images of at most `LARGE` times the training sides."""
        self._warn_beyond(size)
        height, width = (
            min(side, LARGE * own) for side, own in zip(size, self.config.size, strict=True)
        )
        return worst_condition(self._levels, (height, width))

    def _warn_beyond(self, size: Size) -> None:
        """Warn at once of a size that no certificate covers: proven at every size, or measured."""
        if all(side <= 2 * own for side, own in zip(size, self.config.size, strict=True)):
            return
        layers = [layer for _, layer in self.named_bijections()]
        free = next((layer for layer in layers if layer.proven_condition() == math.inf), None)
        if free is None:
            return
        warnings.warn(
            f"images of {size[0]} x {size[1]} are beyond this flow's certificate: nothing bounds "
            f"the inverse of {free.name} ({type(free).__name__}) on maps of every size. "
            "Images may need float64, or be kept in their latents. Flows trained with gain_max "
            "below 1 have such a bound.",
            StabilityWarning,
            stacklevel=2,
        )

    @property
    def _levels(self) -> list[Sequence[Bijection]]:
        return [block.bijections for block in self.blocks]

    def _weights(self) -> list[Tensor]:
        return weights_of(self)

    def _diagnosis(self, images: Tensor) -> str:
        """A sentence on the layer that is at fault when a result is not finite."""
        for name, layer in self.named_bijections():
            if not all(parameter.isfinite().all() for parameter in layer.parameters()):
                return f"{name} ({type(layer).__name__}) holds NaN or infinite weights."
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", StabilityWarning)
            size = (images.shape[2], images.shape[3])
            worst = worst_of(layer_certificates(self._levels, size))
        if worst is None:
            return "No layer says how stable it is."
        return (
            f"Of all layers {worst.name} ({worst.kind}) amplifies most, by up to {worst.gain:.1g}."
        )

    def _check(self, images: Tensor) -> None:
        check_images(images, self.config.channels, self.divisor)
        check_device(images, self.device, "images", ImageError)

    def _check_size(self, size: Size | None) -> Size:
        """The size, or that of the training images for None."""
        sides = self.config.size if size is None else size
        check_size(sides, self.divisor)
        return sides

    def _to_images(self, x: Tensor, log_det: Tensor) -> Tensor:
        finite = self.finite(x, log_det)
        if not self.agree(finite):
            raise NonFiniteError(
                f"{int((~finite).sum())} of {len(x)} images are not finite. Use latents closer to "
                "0 (a lower temperature), or float64: flow.double(). " + self._diagnosis(x)
            )
        return self.dequantize.inverse(x)[0].to(torch.uint8)


def _no_autocast(device: str) -> AbstractContextManager[Any]:
    """Autocast switched off, where it is on: an exported graph is simpler without the switch."""
    # The compiler of torch 2.10 cannot ask for autocast, which all devices that it serves have.
    possible = torch.compiler.is_compiling() or torch.amp.is_autocast_available(device)
    on = possible and torch.is_autocast_enabled(device)
    return torch.autocast(device, enabled=False) if on else nullcontext()


def _great_circle(a: Tensor, b: Tensor, steps: int) -> Tensor:
    """(B, D) and (B, D) -> (B, steps, D), spherical interpolation (Shoemake, 1985)."""
    t = torch.linspace(0, 1, steps, dtype=a.dtype, device=a.device)[:, None]
    cosine = torch.cosine_similarity(a, b, dim=1).clamp(-1, 1)
    angle = cosine.acos().clamp(1e-4, math.pi - 1e-4)[:, None, None]  # (B, 1, 1)
    a, b = a[:, None], b[:, None]
    return (((1 - t) * angle).sin() * a + (t * angle).sin() * b) / angle.sin()
