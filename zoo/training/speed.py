"""Options that make training faster or smaller without changing what is trained."""

from typing import Any, Literal

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

from zoo.bijections import ActNorm, Chain
from zoo.bijections.nets import Net
from zoo.bijections.recompute import Activations
from zoo.data.loader import unpack
from zoo.errors import ConfigError
from zoo.flow import Flow
from zoo.training.captured import captured
from zoo.training.memory import keep_memory
from zoo.training.module import FlowModule

Nets = Literal["float32", "bfloat16"]


class Speed(Callback):
    """Time and memory of training; docs/training.md has what each option is worth.

    While it lasts denormal numbers count as zero, and on Linux freed memory stays in the process.

    Args:
        nets: Type of the coupling nets while they train. "bfloat16" pays on machines with
            instructions for it; the bijections stay in float32.
        compile: Compile the flow, which takes a minute or two at first and needs a C++ compiler.
        activations: Tensors for the backward pass: "store" everything, "checkpoint" the input of
            each layer, "invert" only what leaves a level; the others cost a second forward pass,
            and the last an inverse.
        capture: On a GPU, replay forward and backward as CUDA graphs from the second step on: small
            flows wait for launches, not for arithmetic. One process, and a step for each batch.
    """

    def __init__(
        self,
        nets: Nets = "float32",
        compile: bool = False,
        activations: Activations = "store",
        capture: bool = False,
    ) -> None:
        if (nets, activations) == ("bfloat16", "invert"):
            raise ConfigError("inverses need float32 nets: use activations checkpoint or store.")
        if compile and activations != "store":
            raise ConfigError("a compiled flow decides itself what it keeps: activations store.")
        if capture and (compile or activations != "store"):
            raise ConfigError("a captured step is not compiled, and keeps all: activations store.")
        self.nets, self.compile, self.activations = nets, compile, activations
        self.capture = capture
        self.flushed = denormals_are_zero()

    def setup(self, trainer: L.Trainer, module: L.LightningModule, stage: str) -> None:
        assert isinstance(module, FlowModule)
        if self.capture and (trainer.world_size > 1 or trainer.accumulate_grad_batches > 1):
            raise ConfigError(
                "a captured step is of one process and one batch: leave speed.capture out, or set "
                "trainer.devices and trainer.accumulate_grad_batches to 1."
            )
        tune()
        prepare(module.flow, self.nets, self.activations)

    def on_train_batch_start(
        self, trainer: L.Trainer, module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(module, FlowModule)
        if self.compile and not compiled(module.flow) and initialized(module.flow):
            module.flow.compile()
        if self.capture and module.captured is None:
            images, _ = unpack(batch)
            if images.is_cuda and initialized(module.flow):
                module.captured = captured(module.flow, module.spread(images))

    def on_validation_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        torch.compiler.set_stance("force_eager")  # compiled anew, it would take a minute more

    def on_validation_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        torch.compiler.set_stance("default")

    def teardown(self, trainer: L.Trainer, module: L.LightningModule, stage: str) -> None:
        torch.set_flush_denormal(self.flushed)
        module.captured = None  # type: ignore[assignment]

    def on_exception(
        self, trainer: L.Trainer, module: L.LightningModule, exception: BaseException
    ) -> None:
        torch.set_flush_denormal(self.flushed)
        torch.compiler.set_stance("default")  # it may have come up in validation


def denormals_are_zero() -> bool:
    """Whether this process counts denormal numbers as zero."""
    return bool(torch.tensor(torch.finfo(torch.float32).tiny, device="cpu") / 2 == 0)


def tune() -> None:
    """Count denormals as zero, which Adam's averages of small gradients are, and keep memory."""
    torch.set_flush_denormal(True)
    keep_memory()


def prepare(flow: Flow, nets: Nets, activations: Activations) -> None:
    """Set what the nets of a flow compute in, and what its chains keep, in training."""
    for part in flow.modules():
        if isinstance(part, Net):
            part.autocast = torch.bfloat16 if nets == "bfloat16" else None
        if isinstance(part, Chain):
            part.activations = activations


def initialized(flow: Flow) -> bool:
    """Whether the first batch has set every actnorm, which a compiled flow cannot do."""
    return all(bool(part.initialized) for part in flow.modules() if isinstance(part, ActNorm))


def compiled(flow: Flow) -> bool:
    """Whether `flow.compile()` was called."""
    return flow._compiled_call_impl is not None
