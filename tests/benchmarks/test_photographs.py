"""The benchmark of whole photographs of a folder, on small ones."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from tests.folders import save_folder
from tests.test_flow import noise, tiny
from zoo.evaluation.codecs import codec_bits


def test_every_photograph_has_a_row(run_benchmark, tmp_path: Path) -> None:
    flow = tiny(channels=3)
    save_folder(flow, tmp_path / "model", {"name": "tiny", "dataset": "photos"})
    images = {"even.png": noise(1, 3, (16, 24)), "odd.png": noise(1, 3, (17, 25))}
    (tmp_path / "folder").mkdir()
    for name, image in images.items():
        Image.fromarray(np.asarray(image[0].permute(1, 2, 0))).save(tmp_path / "folder" / name)
    model = f"local-dir:{tmp_path / 'model'}"
    options = ("--model", model, "-o", tmp_path)
    code, out, _ = run_benchmark("photographs", tmp_path / "folder", *options)
    assert code == 0
    assert "17 x 25" in out
    with (tmp_path / "photographs.csv").open() as file:
        rows = {row["photograph"]: row for row in csv.DictReader(file)}
    assert set(rows) == set(images)
    for name, row in rows.items():
        assert (row["exact"], row["precision"]) == ("True", "float32")
        assert float(row["png"]) == float(f"{codec_bits(images[name])['PNG']:.6g}")
        assert 5 < float(row["bits_per_dim"]) < 40
