"""Put what index.html needs beside it: the flow's ONNX files and onnxruntime-web.

    python examples/browser/prepare.py

Then open index.html: a page of a file may fetch no files, so all of them are in files.js, as text.
Needs the extra `onnx`, and npm, which fetches onnxruntime-web once into the user's cache.
"""

import argparse
import base64
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import zoo

HERE = Path(__file__).parent
RUNTIME = "onnxruntime-web@1.30.0"
CACHE = Path.home() / ".cache" / "flowzoo"
SCRIPT = "ort.wasm.min.js"
EMBEDDED = ("ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")


def runtime() -> dict[str, bytes]:
    """The files of onnxruntime-web, from the npm registry or the cache."""
    archive = CACHE / f"{RUNTIME.replace('@', '-')}.tgz"
    if not archive.is_file():
        CACHE.mkdir(parents=True, exist_ok=True)
        command = ["npm", "pack", RUNTIME, "--silent", "--pack-destination", str(CACHE)]
        subprocess.run(command, check=True, timeout=300, capture_output=True)
    with tarfile.open(archive) as files:
        return {
            name: files.extractfile(f"package/dist/{name}").read() for name in (SCRIPT, *EMBEDDED)
        }


def prepare(folder: Path, model: str = "finc_mnist") -> Path:
    """Write the page and its files into a folder; the page's path."""
    scripts = runtime()
    (folder / SCRIPT).write_bytes(scripts.pop(SCRIPT))
    for path in zoo.load(model).export(folder):
        scripts[path.name] = path.read_bytes()
    text = {name: base64.b64encode(data).decode() for name, data in scripts.items()}
    (folder / "files.js").write_text(f"const FILES = {json.dumps(text)};\n")
    page = folder / "index.html"
    if page.resolve() != (HERE / "index.html").resolve():
        shutil.copy(HERE / "index.html", page)
    return page


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="finc_mnist", help="of grey 28 x 28 images")
    print(f"open {prepare(HERE, parser.parse_args().model).resolve()}")
