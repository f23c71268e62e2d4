"""No command replaces an input, or a file that flowzoo did not write."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from zoo.cli.outputs import check_outputs, is_ours
from zoo.errors import ArgumentError
from zoo.pictures import write_image
from zoo.sources import MODELS


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.new("RGB", (28, 28), "red").save(path)
    return path


def encode(run, photo: Path, output: Path, *options: str) -> None:
    assert run("encode", str(photo), "-o", str(output), *options)[0] == 0


def refused(run, *command: object) -> str:
    code, _, err = run(*map(str, command))
    assert code == 2
    return err.splitlines()[-1]


def test_decoding_beside_the_original_leaves_it(run, photo, tmp_path) -> None:
    before = photo.read_bytes()
    encode(run, photo, tmp_path / "z")
    assert "flowzoo did not write it" in refused(run, "decode", tmp_path / "z", "-o", tmp_path)
    assert photo.read_bytes() == before
    assert run("decode", str(tmp_path / "z"), "-o", str(tmp_path), "--overwrite")[0] == 0
    assert photo.read_bytes() != before


def test_an_input_is_never_an_output(run, photo, tmp_path) -> None:
    before = photo.read_bytes()
    for command in (
        ["encode", photo, "-o", photo, "--overwrite"],
        ["interpolate", photo, photo, "-o", tmp_path / "." / "photo.png", "--overwrite"],
    ):
        assert "is an input. Name another output" in refused(run, *command)
    assert photo.read_bytes() == before


def test_the_first_picture_of_a_pattern_is_not_the_output(run, photo, tmp_path) -> None:
    """`flowzoo encode -o *.png`, as the shell spells it out."""
    other, before = tmp_path / "other.png", photo.read_bytes()
    Image.new("L", (28, 28)).save(other)
    assert "--overwrite" in refused(run, "encode", "-o", photo, other)
    assert photo.read_bytes() == before


def test_what_flowzoo_wrote_may_be_written_again(run, photo, tmp_path) -> None:
    for _ in range(2):
        encode(run, photo, tmp_path / "z")
        assert run("decode", str(tmp_path / "z"), "-o", str(tmp_path / "out"))[0] == 0
        sample = ["sample", "finc_mnist", "-n", "2", "-o", str(tmp_path / "samples.png")]
        assert run(*sample)[0] == 0


def test_an_evaluation_replaces_no_other_file(run, photo, tmp_path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("mine")
    code, _, error = run("evaluate", "finc_mnist", "--data-dir", tmp_path, "-o", notes)
    assert code == 2
    assert "notes.txt is there already" in error
    assert notes.read_text() == "mine"


def test_ours_are_told_from_others(photo, tmp_path) -> None:
    assert not is_ours(photo)
    write_image(torch.zeros(3, 4, 4, dtype=torch.uint8), tmp_path / "ours.png")
    assert is_ours(tmp_path / "ours.png")
    assert is_ours(MODELS["finc_mnist"].folder.path / "eval.json")
    (tmp_path / "text").write_text("flowzoo")
    assert not is_ours(tmp_path / "text")
    with pytest.raises(ArgumentError, match=r"text is there already"):
        check_outputs([tmp_path / "new", tmp_path / "text"])
    check_outputs([tmp_path / "new", tmp_path / "text"], overwrite=True)
