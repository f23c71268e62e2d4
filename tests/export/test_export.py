"""Programs that run without flowzoo give the same images back, or are not written."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

import zoo
from zoo.architectures import ARCHITECTURES, build
from zoo.bijections.padded_conv import CornerConv
from zoo.cli.outputs import is_ours
from zoo.errors import ArgumentError, ConfigError, ImageError, NotInvertibleError
from zoo.export import trace
from zoo.export.freeze import freeze
from zoo.flow import Flow
from zoo.folder import content_hash
from zoo.sources import MODELS

SMALL = {"steps": 1, "hidden_channels": 8}
# Of one level and few pixels: where any flow will do.
TINY = {"levels": 1, "size": (8, 8)}
COLOUR = "compact_cifar10"


def small(architecture: str, preset: str = "compact_mnist", **changes) -> Flow:
    """One step a level, with every weight away from its start."""
    torch.manual_seed(0)
    flow = build(ARCHITECTURES[architecture].preset(preset, **{**SMALL, **changes})).eval()
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape))
    return flow


def noise(flow: Flow, count: int, size: tuple[int, int] | None = None) -> Tensor:
    shape = (count, flow.config.channels, *(size or flow.config.size))
    return torch.randint(0, 256, shape, generator=torch.manual_seed(1), dtype=torch.uint8)


def session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def call(path: Path, *inputs: Tensor) -> list[Tensor]:
    runtime = session(path)
    names = [port.name for port in runtime.get_inputs()]
    feeds = {name: x.numpy() for name, x in zip(names, inputs, strict=True)}
    return [torch.from_numpy(array) for array in runtime.run(None, feeds)]


@pytest.fixture(scope="module")
def finc(tmp_path_factory) -> tuple[Flow, Path]:
    """A small flow, and a folder with all of its programs."""
    flow, folder = small("finc"), tmp_path_factory.mktemp("finc")
    for what in ("both", "forward", "inverse"):
        flow.export(folder, what=what)
    return flow, folder


# The families whose maps of colours differ most from those of grey are tried in colour.
PRESETS = {**dict.fromkeys(ARCHITECTURES, "compact_mnist"), "conf": COLOUR, "emerging": COLOUR}


@pytest.mark.parametrize(("architecture", "preset"), PRESETS.items(), ids=PRESETS)
def test_images_go_between_torch_and_onnxruntime_and_come_back(
    architecture, preset, tmp_path
) -> None:
    flow = small(architecture, preset, levels=2)
    before = content_hash(flow.state_dict())
    encode, decode = flow.export(tmp_path)
    assert [encode.name, decode.name] == ["encode.onnx", "decode.onnx"]
    assert content_hash(flow.state_dict()) == before
    for count in (1, 3):
        images = noise(flow, count)
        (latents,) = call(encode, images)
        theirs = flow.encode(images)
        assert_close(latents, theirs, atol=1e-3, rtol=1e-4)
        for z in (latents, theirs):
            decoded, pixels = call(decode, z)
            assert torch.equal(decoded, images)
            assert_close(pixels * 256, images + 0.5, atol=1 / 16, rtol=0)
        assert torch.equal(flow.decode(latents), images)


def test_a_flow_that_solves_in_forward_is_exported(tmp_path) -> None:
    flow = small("cinc", invert=True)
    encode, decode = flow.export(tmp_path)
    images = noise(flow, 2)
    assert torch.equal(call(decode, flow.encode(images))[0], images)
    assert torch.equal(flow.decode(call(encode, images)[0]), images)


def test_a_published_flow_comes_back_over_its_golden_images(run, tmp_path) -> None:
    """Its page in the browser, in test_browser.py, is of another one."""
    code, output, _ = run("export-onnx", "glow_mnist", "-o", tmp_path)
    assert code == 0
    assert f"{tmp_path}/decode.onnx written" in " ".join(output.split())
    flow, golden = (zoo.load("glow_mnist"), MODELS["glow_mnist"].folder.golden)
    (latents,) = call(tmp_path / "encode.onnx", golden.images)
    assert torch.equal(call(tmp_path / "decode.onnx", latents)[0], golden.images)
    assert torch.equal(flow.decode(latents), golden.images)
    assert all(path.stat().st_size < 2e6 for path in tmp_path.iterdir())
    facts = session(tmp_path / "decode.onnx").get_modelmeta().custom_metadata_map
    assert facts["flowzoo.sha256"] == MODELS["glow_mnist"].sha256
    assert float(facts["flowzoo.exact"]) == 1
    assert int(facts["flowzoo.images"]) > len(golden.images)


@pytest.mark.parametrize("preset", ["compact_mnist", "compact_cifar10"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_no_compact_flow_takes_30_megabytes(architecture, preset) -> None:
    config = ARCHITECTURES[architecture].presets[preset]
    frozen = freeze(build(config).eval(), config.size)
    solvers = [layer.solver for layer in frozen.modules() if isinstance(layer, CornerConv)]
    kernels = [kernel for solver in solvers for kernel in solver.kernels]
    assert 4 * sum(tensor.numel() for tensor in (*frozen.parameters(), *kernels)) < 30e6


def test_floats_and_log_dets_are_those_of_torch(finc) -> None:
    flow, folder = finc
    x = torch.rand(3, 1, 28, 28)
    with torch.no_grad():
        z, log_det = flow(x)
        latents, found = call(folder / "forward.onnx", x)
        assert_close(latents, z, atol=1e-3, rtol=1e-4)
        assert_close(found, log_det, atol=1e-2, rtol=1e-5)
        pixels, back = call(folder / "inverse.onnx", z)
        assert_close(pixels, x, atol=1e-4, rtol=0)
        assert_close(back, -log_det, atol=1e-2, rtol=1e-5)


def test_metadata_says_what_a_file_is_and_dimensions_have_names(finc) -> None:
    flow, folder = finc
    model = onnx.load(folder / "decode.onnx")
    onnx.checker.check_model(model, full_check=True)
    facts = {entry.key.removeprefix("flowzoo."): entry.value for entry in model.metadata_props}
    assert facts["sha256"] == content_hash(flow.state_dict())
    assert json.loads(facts["config"])["architecture"] == "finc"
    assert facts["opset"] == str(model.opset_import[0].version)
    assert {"onnx", "onnxruntime", "onnxscript", "torch", "version"} <= facts.keys()
    dims = model.graph.input[0].type.tensor_type.shape.dim
    assert [dim.dim_param or dim.dim_value for dim in dims] == ["batch", 784]
    assert str(Path(zoo.__file__).parent) not in model.SerializeToString().decode("latin-1")


def latents(value: float = 0.0, **options) -> Tensor:
    z = torch.zeros(options.pop("shape", (2, 784)), **options)
    z[0, 0] = value
    return z


REFUSED = "numbers are NaN, infinite or out of range"
BAD = {
    "NaN": ("decode", latents(torch.nan), REFUSED),
    "infinity": ("decode", latents(-torch.inf), REFUSED),
    "infinity in between": ("decode", torch.full((2, 784), 3e38), REFUSED),
    "a wrong length": ("decode", latents(shape=(2, 783)), "Got: 783 Expected: 784"),
    "float64": ("decode", latents(dtype=torch.float64), "Unexpected input data type"),
    "float images": ("encode", torch.zeros(2, 1, 28, 28), "Unexpected input data type"),
    "colours": ("encode", torch.zeros(2, 3, 28, 28, dtype=torch.uint8), "Got: 3 Expected: 1"),
    "another size": ("encode", torch.zeros(2, 1, 28, 32, dtype=torch.uint8), "Got: 32"),
    "pixels of 0 to 255": ("forward", torch.full((2, 1, 28, 28), 255.0), REFUSED),
    "NaN pixels": ("forward", torch.full((2, 1, 28, 28), torch.nan), REFUSED),
    "NaN in inverse": ("inverse", latents(torch.nan), REFUSED),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_bad_input_is_an_error_and_never_an_image(case, finc) -> None:
    what, x, message = case
    with pytest.raises(Exception, match=message):
        call(finc[1] / f"{what}.onnx", x)


def test_a_program_of_torch_runs_without_flowzoo(tmp_path) -> None:
    flow = small("cinc_quad", **TINY)
    encode, decode = flow.export(tmp_path, "torch")
    images = noise(flow, 3)
    torch.save(images, tmp_path / "images.pt")
    script = f"""
import sys, torch
images, extra = torch.load({str(tmp_path / "images.pt")!r}), {{"flowzoo.sha256": ""}}
encode = torch.export.load({str(encode)!r}).module()
decode = torch.export.load({str(decode)!r}, extra_files=extra).module()
latents, = encode(images)
assert torch.equal(decode(latents)[0], images) and torch.equal(decode(latents[:1])[0], images[:1])
try:
    decode(latents * torch.nan)
except IndexError:
    assert "zoo" not in sys.modules
    print(extra["flowzoo.sha256"])
"""
    command = [sys.executable, "-c", script]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert ran.stdout.strip() == content_hash(flow.state_dict())


def test_a_compiled_decode_prepares_no_solver() -> None:
    flow = small("finc")
    program = trace(flow, "decode")
    targets = {str(node.target) for node in program.graph.nodes}
    assert [name for name in targets if "flowzoo" in name or "linalg" in name] == []
    images = noise(flow, 2)
    decode = torch.compile(program.module(), backend="aot_eager")
    assert torch.equal(decode(flow.encode(images))[0], images)


@pytest.mark.skipif(not shutil.which("g++"), reason="AOTInductor needs a C++ compiler")
def test_aotinductor_gives_images_back(tmp_path) -> None:
    flow = small("cinc", **TINY)
    package = torch._inductor.aoti_compile_and_package(
        trace(flow, "decode"), package_path=str(tmp_path / "decode.pt2")
    )
    decode, images = torch._inductor.aoti_load_package(package), noise(flow, 3)
    assert torch.equal(decode(flow.encode(images))[0], images)
    with pytest.raises(RuntimeError):
        decode(flow.encode(images) * torch.nan)


def test_one_program_takes_every_size_up_to_twice_that_of_training(tmp_path) -> None:
    flow = small("emerging", size=(12, 12))
    encode, decode = flow.export(tmp_path, size="dynamic")
    for size in ((12, 12), (8, 20), (24, 24)):
        images = noise(flow, 2, size)
        levels = call(encode, images)
        assert torch.equal(call(decode, *levels)[0], images)
        assert torch.equal(flow.decode(flow.flatten(levels), size), images)
    with pytest.raises(Exception, match="or maps too large"):
        call(encode, noise(flow, 1, (28, 12)))
    with pytest.raises(Exception, match="or maps too large"):
        call(decode, *flow.levels(torch.zeros(1, 12 * 28), (12, 28)))
    with pytest.raises(Exception, match="Reshape"):
        call(encode, noise(flow, 1, (14, 12)))
    dims = session(encode).get_inputs()[0].shape
    assert dims == ["batch", 1, "4*rows", "4*columns"]


def test_a_program_of_one_size_and_number(tmp_path) -> None:
    flow = small("glow", **TINY)
    encode, decode = flow.export(tmp_path, size=(10, 14), batch=2)
    images = noise(flow, 2, (10, 14))
    assert torch.equal(call(decode, call(encode, images)[0])[0], images)
    with pytest.raises(Exception, match="Got: 3 Expected: 2"):
        call(encode, noise(flow, 3, (10, 14)))


def forgetful() -> Flow:
    """A flow whose float32 is too coarse for grey pixels: it adds a large number and a small."""
    flow = small("glow", shift_max=None, size=(8, 8))
    with torch.no_grad():
        flow.blocks[0].bijections[-1].net.bias.fill_(3e4)
    return flow


def test_a_flow_that_loses_images_is_refused_with_their_number(tmp_path) -> None:
    flow = forgetful()
    with pytest.raises(
        NotInvertibleError, match=r"\d+ of 74 images do not come back .* float32 is"
    ):
        flow.export(tmp_path)
    assert list(tmp_path.iterdir()) == []
    flow.export(tmp_path, allow_inexact=True)
    facts = session(tmp_path / "encode.onnx").get_modelmeta().custom_metadata_map
    assert 0 < float(facts["flowzoo.exact"]) < 1
    assert float(facts["flowzoo.worst_error"]) > 1 / 16


def test_images_that_a_runtime_cannot_compute_are_lost_not_fatal(tmp_path) -> None:
    flow = small("glow", shift_max=None, size=(8, 8))
    with torch.no_grad():
        flow.blocks[0].bijections[-1].net.bias.fill_(3e38)
    with pytest.raises(NotInvertibleError, match=r"74 of 74 .* the runtime said: .*NaN, infinite"):
        flow.export(tmp_path)


def test_own_images_are_sent_through_too(tmp_path) -> None:
    flow = small("glow", **TINY)
    flow.export(tmp_path, what="encode", images=noise(flow, 5))
    facts = session(tmp_path / "encode.onnx").get_modelmeta().custom_metadata_map
    assert facts["flowzoo.images"] == "79"
    with pytest.raises(ImageError, match="must be 8 x 8"):
        flow.export(tmp_path, images=noise(flow, 5, (8, 12)))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"format": "tflite"}, ArgumentError, "format must be one of onnx, torch; got 'tflite'"),
        ({"what": "sample"}, ArgumentError, "what must be one of encode, decode, forward, inverse"),
        ({"batch": 0}, ArgumentError, 'batch must be "dynamic" or a positive integer; got 0'),
        ({"size": (28, 30)}, ImageError, "divisible by 4"),
        ({"size": "dynamic"}, ArgumentError, r"export it for one size, size=\(H, W\)"),
    ],
)
def test_what_cannot_be_exported_says_why(options, error, message, tmp_path) -> None:
    with pytest.raises(error, match=message):
        small("conf").export(tmp_path, **options)


def test_a_missing_package_is_named_with_its_extra(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ConfigError, match=r'needs onnxscript: pip install "\.\[onnx\]"'):
        small("glow").export(tmp_path)


def test_the_command_replaces_only_what_it_wrote(run, tmp_path, finc) -> None:
    for name in ("encode.onnx", "decode.onnx"):
        shutil.copy(finc[1] / name, tmp_path)
    assert all(map(is_ours, tmp_path.iterdir()))
    (tmp_path / "encode.onnx").write_bytes(b"another's")
    code, _, errors = run("export-onnx", "finc_mnist", "-o", tmp_path)
    assert code == 2
    assert "encode.onnx is there already, and flowzoo did not write it" in errors


def test_importing_needs_no_package_of_onnx() -> None:
    script = "import sys, zoo.export, zoo.cli; print({'onnx', 'onnxscript'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"


def test_latents_of_another_flow_are_told_apart(finc, tmp_path) -> None:
    other, *_ = small("finc", hidden_channels=4).export(tmp_path, what="decode")
    hashes = {
        session(path).get_modelmeta().custom_metadata_map["flowzoo.sha256"]
        for path in (finc[1] / "encode.onnx", finc[1] / "decode.onnx", other)
    }
    assert len(hashes) == 2


def test_arrays_of_numpy_are_all_it_takes(finc) -> None:
    images = np.zeros((1, 1, 28, 28), np.uint8)
    (z,) = session(finc[1] / "encode.onnx").run(["latents"], {"images": images})
    (back,) = session(finc[1] / "decode.onnx").run(["images"], {"latents": z})
    assert np.array_equal(back, images)
