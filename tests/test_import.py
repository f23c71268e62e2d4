import json
import subprocess
import sys

HEAVY = ("lightning", "torchvision", "torchmetrics", "jsonargparse", "matplotlib", "sklearn")


def modules_after(statement: str) -> list[str]:
    script = f"import json, sys; {statement}; print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def test_importing_and_loading_needs_no_training_package() -> None:
    loaded = modules_after("import zoo.latents; zoo.load('finc_mnist', pretrained=False)")
    assert [name for name in HEAVY if name in loaded] == []


def test_the_command_line_needs_no_training_package() -> None:
    loaded = modules_after("import zoo.cli")
    assert [name for name in HEAVY if name in loaded] == []


def test_the_package_finds_its_weights_from_any_directory(tmp_path) -> None:
    script = "import zoo; print(zoo.load('finc_mnist').sample(1).shape)"
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert run.stdout == "torch.Size([1, 1, 28, 28])\n"
