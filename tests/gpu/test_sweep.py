"""The Triton kernel, without a GPU: interpreted in a process of its own, and compiled for one."""

import dataclasses
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch

from tests.solvers.problems import kernel_of
from zoo.bijections import FInCUnit
from zoo.errors import ConfigError
from zoo.solvers import CORNERS, Operator, Plan, Shape, choose
from zoo.solvers.choice import candidates, has_sweep

triton = pytest.importorskip("triton")


def test_it_solves_in_the_interpreter() -> None:
    cases = Path(__file__).with_name("sweep_cases.py")
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", str(cases)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=900)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "[100%]" in done.stdout


@pytest.mark.parametrize(
    ("groups", "channels", "side", "k"), [(4, 3, 16, 3), (4, 6, 8, 3), (1, 12, 16, 3), (4, 3, 8, 5)]
)
def test_it_compiles_for_an_h100_without_tensor_cores_and_spills(
    groups: int, channels: int, side: int, k: int
) -> None:
    assembly, resources = compiled(groups, channels, side, k)
    assert "FFMA" in assembly
    # HMMA, HGMMA, DMMA ...; HFMA2.MMA, which sets registers, is none of them.
    assert not re.search(r"(?<![.\w])[A-Z]*MMA\b", assembly)
    assert not re.search(r"\b(LDL|STL)\b", assembly)
    assert "STACK:0" in resources


def compiled(groups: int, channels: int, side: int, k: int) -> tuple[str, str]:
    """Machine code for sm_90, and the resources that it takes."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from zoo.solvers.sweep import SweepSolver
    from zoo.solvers.sweep_kernel import sweep

    operator = Operator(kernel_of(groups, channels, (k, k)), CORNERS[:groups])
    y = torch.zeros(100, groups * channels, side, side).contiguous(
        memory_format=torch.channels_last
    )
    _, options = SweepSolver.prepare(operator, (side, side), torch.float32).grid(y)
    warps = options.pop("num_warps")
    names = sweep.arg_names
    pointers = ("y", "x", "weights", "shift")
    constants = {**options, "yc": 1, "xc": 1}
    signature = {
        name: "constexpr"
        if name in constants
        else "*fp32"
        if name in pointers
        else "*i32"
        if name == "directions"
        else "i32"
        for name in names
    }
    values = {(names.index(name),): value for name, value in constants.items()}
    aligned = {
        (names.index(name),): [["tt.divisibility", 16]] for name in names if "*" in signature[name]
    }
    source = ASTSource(sweep, signature, values, aligned)
    made = triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": warps})
    return disassembled(made.asm["cubin"])


def disassembled(cubin: bytes) -> tuple[str, str]:
    tools = Path(triton.__file__).parent / "backends/nvidia/bin"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        return tuple(
            subprocess.run(
                [tools / tool, option, file.name], capture_output=True, text=True, check=True
            ).stdout
            for tool, option in (("nvdisasm", "-c"), ("cuobjdump", "-res-usage"))
        )


def test_auto_takes_it_on_gpus_only() -> None:
    for side, channels, corners in ((16, 3, CORNERS), (8, 6, CORNERS), (16, 12, CORNERS[:1])):
        shape = Shape(channels, (3, 3), corners, (side, side), 64, "cuda")
        assert choose("auto", shape) == Plan("sweep")
        assert Plan("sweep") not in candidates(dataclasses.replace(shape, device="cpu"))


def test_where_it_cannot_be_had_is_one_clear_error() -> None:
    assert not has_sweep("cpu")
    layer = FInCUnit(8, method="sweep").eval()
    with torch.no_grad(), pytest.raises(ConfigError, match="'sweep' needs a GPU .* use 'auto'"):
        layer.inverse(torch.zeros(1, 8, 4, 4))
