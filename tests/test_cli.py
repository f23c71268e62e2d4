import json
import re
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.folders import save_folder, save_golden, validate
from tests.test_flow import noise, tiny
from zoo.architectures.presets import FREE
from zoo.cards.gallery import interpolation
from zoo.cards.overview import CLONE, PAGES
from zoo.cli.coding import _distinct
from zoo.data import load_images
from zoo.errors import NonFiniteError
from zoo.evaluation.outliers import OTHERS
from zoo.folder import make_golden
from zoo.folder.model_folder import FIGURES
from zoo.latents import LatentFile


@pytest.fixture
def model(tmp_path: Path) -> str:
    """A tiny model of 8 x 12 grey images."""
    about = {"name": "tiny", "dataset": "digits"}
    save_folder(tiny("finc"), tmp_path / "model", about)
    return f"local-dir:{tmp_path / 'model'}"


def write(path: Path, *shape: int, mode: str = "L") -> np.ndarray:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)
    return pixels


def read(path: Path) -> np.ndarray:
    return np.array(Image.open(path))


def test_an_image_of_the_right_size_comes_back_bit_for_bit(run, model, tmp_path) -> None:
    pixels = write(tmp_path / "a.png", 8, 12)
    code, out, _ = run("encode", tmp_path / "a.png", "-o", tmp_path / "z.safetensors", "-m", model)
    assert code == 0
    assert "as it is" in out
    assert "1 image encoded" in out
    assert run("decode", tmp_path / "z.safetensors", "-o", tmp_path / "out")[0] == 0
    assert np.array_equal(read(tmp_path / "out" / "a.png"), pixels)


def test_padding_is_removed_again(run, model, tmp_path) -> None:
    small, large = write(tmp_path / "s.png", 5, 7), write(tmp_path / "l.png", 17, 9)
    latents = tmp_path / "z.safetensors"
    files = (tmp_path / "s.png", tmp_path / "l.png")
    code, out, _ = run("encode", *files, "--pad", "-o", latents, "-m", model)
    assert code == 0
    assert "padded 5x7 to 8x12" in out
    assert "padded 17x9 to 20x12" in out
    assert run("decode", latents, "-o", tmp_path / "out")[0] == 0
    assert np.array_equal(read(tmp_path / "out" / "s.png"), small)
    assert np.array_equal(read(tmp_path / "out" / "l.png"), large)


def test_the_original_size_is_kept_where_it_fits(run, model, tmp_path) -> None:
    pixels = write(tmp_path / "a.png", 16, 4)
    latents = tmp_path / "z.safetensors"
    encode = ("encode", tmp_path / "a.png", "--original-size", "-o", latents, "-m", model)
    assert run(*encode)[0] == 0
    assert run("decode", latents, "-o", tmp_path / "out")[0] == 0
    assert np.array_equal(read(tmp_path / "out" / "a.png"), pixels)
    write(tmp_path / "a.png", 15, 4)
    code, _, err = run(*encode)
    assert code == 2
    assert "15x4" in err
    assert "--pad or --crop" in err


def test_other_sizes_and_colours_are_converted_and_said(run, model, tmp_path) -> None:
    write(tmp_path / "a.jpg", 30, 20, 3, mode="RGB")
    encode = ("encode", tmp_path / "a.jpg", "-o", tmp_path / "z", "-m", model)
    for option, change in (
        ((), "padded 30x20 to 32x20"),
        (("--crop",), "cropped and resized 30x20 to 8x12"),
        (("--resize",), "resized 30x20 to 8x12"),
    ):
        code, out, _ = run(*encode, *option)
        assert code == 0
        assert f"RGB to L, {change}" in out
    write(tmp_path / "a.png", 8, 12, mode="LA")
    _, out, _ = run("encode", tmp_path / "a.png", "-o", tmp_path / "z", "-m", model)
    assert "LA to L, transparency dropped" in out


def test_files_of_one_name_do_not_overwrite_each_other(run, model, tmp_path) -> None:
    files = [tmp_path / name for name in ("a.png", "a.bmp")]
    for file in files:
        write(file, 8, 12)
    _, out, _ = run("encode", *files, "-o", tmp_path / "z", "-m", model)
    assert f"{tmp_path / 'a.bmp'}: decodes to a_1.png" in out
    assert f"{tmp_path / 'a.png'}: decodes" not in out
    run("decode", tmp_path / "z", "-o", tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "a_1.png"]
    assert _distinct(["a", "a", "a_1"]) == ["a", "a_1", "a_1_1"]


def test_names_in_a_latents_file_cannot_leave_the_folder(run, model, tmp_path) -> None:
    write(tmp_path / "a.png", 8, 12)
    run("encode", tmp_path / "a.png", "-o", tmp_path / "z", "-m", model)
    file = LatentFile.load(tmp_path / "z")
    evil = replace(file, images=[replace(file.images[0], name="../../evil")])
    evil.save(tmp_path / "z")
    assert run("decode", tmp_path / "z", "-o", tmp_path / "x" / "out")[0] == 0
    assert [path.name for path in (tmp_path / "x" / "out").iterdir()] == ["evil.png"]


def test_images_of_more_than_8_bits_are_refused(run, model, tmp_path) -> None:
    Image.fromarray(np.arange(96, dtype=np.uint16).reshape(8, 12) * 600).save(tmp_path / "a.png")
    code, _, err = run("encode", tmp_path / "a.png", "-o", tmp_path / "z", "-m", model)
    assert code == 2
    assert "more than 8 bits" in err


def test_a_photograph_is_upright(run, model, tmp_path) -> None:
    pixels = write(tmp_path / "a.png", 8, 12)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    turned = Image.fromarray(np.rot90(pixels).copy())
    turned.save(tmp_path / "a.png", exif=exif)
    latents = tmp_path / "z.safetensors"
    assert run("encode", tmp_path / "a.png", "-o", latents, "-m", model)[0] == 0
    assert run("decode", latents, "-o", tmp_path / "out")[0] == 0
    assert np.array_equal(read(tmp_path / "out" / "a.png"), pixels)


@pytest.mark.parametrize("colour_type", [0, 2, 4, 6])
def test_16_bits_per_channel_are_refused(run, model, tmp_path, colour_type: int) -> None:
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour_type]
    rows = (b"\0" + bytes(range(2 * 12 * channels))) * 8
    header = struct.pack(">IIBBBBB", 12, 8, 16, colour_type, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    ]
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    code, _, err = run("encode", tmp_path / "a.png", "-o", tmp_path / "z", "-m", model)
    assert code == 2
    assert "a.png has more than 8 bits per channel" in err


def test_a_picture_of_unknown_kind_is_one_line(run, model, tmp_path) -> None:
    code, _, err = run("sample", model, "-n", 1, "-o", tmp_path / "samples")
    assert code == 2
    assert "Use an ending such as .png" in err


def test_files_with_brackets_in_their_names(run, model, tmp_path) -> None:
    write(tmp_path / "a[b] [bold].png", 8, 12)
    code, out, _ = run("encode", tmp_path / "a[b] [bold].png", "-o", tmp_path / "z", "-m", model)
    assert code == 0
    assert "a[b] [bold].png" in out


def test_latents_of_another_model_are_refused(run, model, tmp_path) -> None:
    write(tmp_path / "a.png", 8, 12)
    run("encode", tmp_path / "a.png", "-o", tmp_path / "z", "-m", model)
    save_folder(tiny("finc", seed=1), tmp_path / "other")
    code, _, err = run(
        "decode", tmp_path / "z", "-o", tmp_path / "out", "-m", f"local-dir:{tmp_path / 'other'}"
    )
    assert code == 2
    assert "Decode with the model that encoded them" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sample", "finc_mnits"], "Did you mean finc_mnist"),
        (["sample", "FINC_MNIST"], "Did you mean finc_mnist"),
        (["encode", "missing.png", "-o", "z"], "there is no file missing.png"),
        (["encode", "-o", "z"], "Missing argument"),
        (["encode", "a.png", "-o", "."], ". is a folder. Name a file with -o"),
        (["ls", "nope"], "no model matches 'nope'"),
        (["encode", "a.png", "-o", "z", "--pad", "--resize"], "choose one of"),
        (["encode", "a.png", "-o", "z", "--pad", "--crop"], "See flowzoo encode --help."),
        (["decode", "missing", "-o", "out"], "not a file of latents"),
        (["decode", "missing", "-o", __file__], "is a file. Name a folder for the PNG files"),
        (["nonsense"], "No such command 'nonsense'. See flowzoo --help."),
        (["train", "--config", "nowhere.yaml"], "File does not exist"),
        (["train", "--nonsense", "1"], "unrecognized arguments: --nonsense 1"),
        (["train-tabular", "--nonsense", "1"], "unrecognized arguments: --nonsense 1"),
        (["sample", "finc_mnist", "-n", "0"], "Invalid value"),
        (
            ["evaluate", "local-dir:nowhere", "--data-dir", "."],
            "nowhere; it is not a model's folder",
        ),
        (["card", "local-dir:nowhere"], "nowhere; it is not a model's folder"),
    ],
)
def test_errors_are_one_line_and_exit_code_2(run, model, arguments, message) -> None:
    needs_model = {"encode": ["-m", model]}.get(arguments[0], [])
    code, _, err = run(*arguments, *needs_model)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
    assert err.startswith("flowzoo: ")


def test_sample_and_interpolate_write_grids(run, model, tmp_path) -> None:
    assert run("sample", model, "-n", 5, "--columns", 3, "-o", tmp_path / "s.png")[0] == 0
    assert read(tmp_path / "s.png").shape == (2 * 18, 3 * 26)
    write(tmp_path / "a.png", 8, 12)
    write(tmp_path / "b.png", 8, 12)
    ends = (tmp_path / "a.png", tmp_path / "b.png")
    assert run("interpolate", *ends, "-m", model, "--steps", 4, "-o", tmp_path / "i.png")[0] == 0
    row = read(tmp_path / "i.png")
    assert row.shape == (18, 4 * 26)
    assert np.array_equal(row[1:17:2, 1:25:2], read(tmp_path / "a.png"))


def test_ends_of_different_sizes_say_how_to_give_them_one(run, model, tmp_path) -> None:
    write(tmp_path / "a.png", 8, 12)
    write(tmp_path / "b.png", 16, 12)
    ends = (tmp_path / "a.png", tmp_path / "b.png")
    code, _, err = run("interpolate", *ends, "-m", model, "-o", tmp_path / "i.png")
    assert code == 2
    assert "of different sizes. --crop or --resize gives them one" in err
    assert run("interpolate", *ends, "-m", model, "--crop", "-o", tmp_path / "i.png")[0] == 0


def test_a_temperature_for_each_level(run, model, tmp_path) -> None:
    def drawn(temperature: object) -> np.ndarray:
        path = tmp_path / f"{temperature}.png"
        assert run("sample", model, "-n", 2, "--temperature", temperature, "-o", path)[0] == 0
        return read(path)

    assert np.array_equal(drawn("0.5,0.5"), drawn(0.5))
    assert not np.array_equal(drawn("0,0.5"), drawn(0.5))
    for wrong, message in {
        "warm": "--temperature is 0 or more, one number or one for each level",
        "1,1,1": "--temperature has 3 numbers; this flow has 2 levels",
        "-1": "--temperature is 0 or more",
        "nan": "--temperature is 0 or more",
    }.items():
        code, _, err = run("sample", model, f"--temperature={wrong}", "-o", tmp_path / "x.png")
        assert code == 2
        assert message in err
    assert not (tmp_path / "x.png").exists()


def test_ls_and_info(run, model) -> None:
    code, out, _ = run("ls", "finc_*")
    assert code == 0
    assert "finc_mnist" in out
    assert "glow" not in out
    code, out, _ = run("info", model)
    assert code == 0
    assert "round trip  in float32" in out
    assert run("info", "glow_mnist")[0] == 0
    assert run("--version")[0] == 0


def test_evaluate_goes_without_a_set_to_compare_with(run, monkeypatch, tmp_path) -> None:
    monkeypatch.setitem(OTHERS, "digits", ("celeba64",))
    folder = tmp_path / "square"
    save_folder(tiny("finc", size=(8, 8)), folder, {"name": "tiny", "dataset": "digits"})
    code, out, _ = run(
        "evaluate", f"local-dir:{folder}", "--data-dir", tmp_path, "--n-samples", 1, "--every", 2
    )
    assert code == 0
    assert "not compared with celeba64: " in out
    measured = json.loads((folder / "eval.json").read_text())
    assert (measured["every"], measured["protocol"]["images"]) == (2, 149)  # of 297
    sets = measured["likelihood_histogram"]["sets"]
    assert set(sets) == {"test split", "constant"}


def test_a_card_names_images_of_ones_own(run, tmp_path) -> None:
    about = {"name": "tiny", "dataset": "folder", "dataset_title": "my photos"}
    save_folder(tiny("finc", size=(8, 8)), tmp_path, about)
    save_golden(make_golden(tiny("finc", size=(8, 8))), tmp_path)
    assert run("card", f"local-dir:{tmp_path}")[0] == 0
    assert "trained on my photos: a normalizing flow" in (tmp_path / "README.md").read_text()


def test_evaluate_measures_and_card_shows_it(run, tmp_path) -> None:
    flow, folder = tiny("finc", size=(8, 8)), tmp_path / "square"
    save_folder(flow, folder, {"name": "tiny", "dataset": "digits"})
    save_golden(make_golden(flow, load_images("digits", tmp_path, "test")[:4]), folder)
    source = f"local-dir:{folder}"
    assert run("evaluate", source, "--data-dir", tmp_path, "--n-samples", 2)[0] == 0
    evaluation = json.loads((folder / "eval.json").read_text())
    assert evaluation["exact_share"] == 1
    assert evaluation["finite_sample_share"] == 1
    assert evaluation["protocol"]["images"] == 297
    assert evaluation["protocol"]["draws_weighted"] == 2
    sets = evaluation["likelihood_histogram"]["sets"]
    assert {name: sum(found["counts"]) for name, found in sets.items()} == {
        "test split": 297,
        "constant": 256,
    }
    pages = {page: (CLONE / page).read_text() for page in PAGES}
    assert run("card", source)[0] == 0
    card = (folder / "README.md").read_text()
    assert f"{evaluation['bits_per_dim']:.4f}" in card
    assert all(f"({figure})" in card and read(folder / figure).std() > 5 for figure in FIGURES)
    assert {page: (CLONE / page).read_text() for page in PAGES} == pages


@pytest.mark.parametrize(
    ("seed", "missing"),
    [
        (0, {"interpolation.png", "resampling.png", "histogram.png"}),
        (2, {"interpolation.png", "resampling.png", "histogram.png", "samples.png"}),
    ],
    ids=["whose patterns do not interpolate", "whose samples are not finite"],
)
def test_a_conf_exported_without_data_gets_its_card(run, tmp_path, seed, missing) -> None:
    flow = tiny("conf", seed, std=0.2, size=(8, 8), **FREE)
    folder = tmp_path / "conf"
    save_folder(flow, folder, {"name": "tiny", "dataset": "digits"})
    golden = make_golden(flow)
    with pytest.raises(NonFiniteError):
        interpolation(flow, golden.images)
    save_golden(golden, folder)
    for figure in FIGURES:
        Image.new("L", (2, 2)).save(folder / figure)  # of what was here before
    code, out, _ = run("card", f"local-dir:{folder}")
    assert code == 0
    assert set(re.findall(r"^no (\S+): .", out, re.MULTILINE)) == missing
    assert {figure for figure in FIGURES if not (folder / figure).exists()} == missing
    card = (folder / "README.md").read_text()
    # The reconstructions are shown beside the exactness that was measured.
    absent = {figure for figure in FIGURES if f"]({figure})" not in card}
    assert absent == missing | {"reconstructions.png"}
    validate(folder)


def test_demo_of_photographs_shows_a_whole_picture(run, tmp_path) -> None:
    flow = tiny("finc", size=(8, 8), channels=3)
    flow.save(tmp_path / "mine", dataset="photos", natural=noise(8, 3, (8, 8)))
    code, out, _ = run("demo", f"local-dir:{tmp_path / 'mine'}", "-o", tmp_path / "demo")
    assert code == 0
    assert "16 x 32" in out
    assert read(tmp_path / "demo" / "whole.png").shape[:2] == (2 * 16 + 2, 2 * 32 + 2)
    edited = read(tmp_path / "demo" / "edit.png")
    assert edited.shape[1] / edited.shape[0] == pytest.approx(1)  # 3 images x 3 attributes, 9 steps
    assert edited.std() > 10


def test_demo_replaces_no_picture_of_another_s(run, tmp_path) -> None:
    (tmp_path / "whole.png").write_bytes(b"mine")
    code, out, err = run("demo", "-o", tmp_path)
    assert code == 2
    assert "whole.png is there already" in err
    assert out == "", "nothing is computed before"


def test_demo_does_the_main_job(run, tmp_path) -> None:
    code, out, _ = run("demo", "-o", tmp_path / "demo")
    assert code == 0
    assert "16 of 16" in out
    for name in ("samples", "reconstructions", "interpolation", "resampling", "whole", "edit"):
        assert read(tmp_path / "demo" / f"{name}.png").std() > 10
