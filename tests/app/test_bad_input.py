"""Bad input ends in one line on stderr and exit code 2, never in a traceback."""

from __future__ import annotations

import shutil
import socket

import pytest


@pytest.fixture
def refused(darb3d, tmp_path):
    def check(*arguments, says: str) -> None:
        result = darb3d.run(*arguments, cwd=tmp_path)
        lines = result.stderr.splitlines()
        assert result.returncode == 2, result.stderr
        assert len(lines) == 1, result.stderr
        assert says in lines[0] and "Traceback" not in result.stderr + result.stdout
        assert not (tmp_path / "runs").exists() or not any((tmp_path / "runs").iterdir())

    return check


@pytest.fixture
def train(refused):
    def check(*arguments, says: str) -> None:
        refused("train", *arguments, "--no-viewer", "--steps", 2, says=says)

    return check


def test_a_folder_that_is_not_there(train):
    train("nowhere", says="nowhere")


def test_a_file_instead_of_a_folder(train, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"x")
    train("photo.jpg", says="photo.jpg")


def test_an_empty_folder(train, tmp_path):
    (tmp_path / "empty").mkdir()
    train("empty", says="empty")


def test_no_model(train, mini_scene):
    shutil.rmtree(mini_scene / "sparse")
    train(mini_scene, says="expected")


def test_no_photos(train, mini_scene):
    shutil.rmtree(mini_scene / "images")
    train(mini_scene, says="expected")


def test_a_broken_archive(train, tmp_path):
    (tmp_path / "scene.zip").write_bytes(b"nothing")
    train("scene.zip", says="scene.zip: expected a complete .zip")


def test_one_photo(train, write_scene, tmp_path):
    train(write_scene(tmp_path / "one", photos=1), says="photo")


def test_a_missing_model_file(train, mini_scene):
    (mini_scene / "sparse" / "0" / "cameras.txt").unlink()
    train(mini_scene, says="cameras")


def test_a_corrupt_image(train, mini_scene):
    photo = mini_scene / "images" / "003.png"
    photo.write_bytes(photo.read_bytes()[:60])
    train(mini_scene, says="003.png")


def test_a_corrupt_model(train, mini_scene):
    (mini_scene / "sparse" / "0" / "images.txt").write_text("1 0 0 zero\n\n")
    train(mini_scene, says="images.txt")


def test_an_unknown_kernel(train, mini_scene):
    train(mini_scene, "--kernel", "gausian", says="raised-cosine")


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("", "expected it to register a kernel 'mine', found none"),
        ("1/0", "ZeroDivisionError"),
        ("kernels.register('mine', lambda q: 1 - q, 2.0)", "expected no negative value, found -3"),
        ("kernels.register('mine', lambda q: 2 - q, 1.0)", "expected no value above 1, found 2"),
        ("kernels.register('mine', lambda q: 0 * q + 1, 9.0)", "below 1/255 at the support"),
    ],
)
def test_a_kernel_file_that_defines_none(train, mini_scene, tmp_path, code, says):
    file = tmp_path / "mine.py"
    file.write_text("from splatting import kernels\n" + code)
    train(mini_scene, "--kernel", f"{file}:mine", says=says)


def test_a_kernel_file_that_is_not_there(train, mini_scene):
    train(mini_scene, "--kernel", "nowhere.py:mine", says="nowhere.py: expected a Python file")


def test_a_parameter_out_of_range(train, mini_scene):
    train(mini_scene, "--kernel", "student-t:nu=0", says="expected nu=2..1000, found 'nu=0'")


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--steps", 3, "--minutes", 1), "both"),
        (("--steps", 0), "--steps"),
        (("--minutes", "nan"), "--minutes"),
        (("--data-factor", 0), "--data-factor"),
        (("--threads", 0), "--threads"),
        (("--save-every", 0), "--save-every"),
        (("--save-every", "nan"), "--save-every"),
    ],
)
def test_numbers_out_of_range(flags, says):
    from pathlib import Path

    from app.commands.train import Command, resolve
    from data.errors import UserError

    names = {flag[2:].replace("-", "_"): float(value) for flag, value in _pairs(flags)}
    with pytest.raises(UserError, match=says):
        resolve(Command(Path("anywhere"), **names))  # pyright: ignore[reportArgumentType]


def _pairs(flags):
    return zip(flags[::2], flags[1::2], strict=True)


def test_a_port_in_use(refused, mini_scene):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        arguments = ("train", mini_scene, "--steps", 2, "--port", port)
        refused(*arguments, says=str(port))


def test_a_run_is_never_overwritten(train, tmp_path, mini_scene):
    (tmp_path / "done").mkdir()
    (tmp_path / "done" / "config.json").write_text("{}")
    train(mini_scene, "--out", "done", says="holds a run")


@pytest.mark.parametrize("command", ["view", "eval"])
def test_what_is_not_a_run(refused, tmp_path, mini_scene, command):
    (tmp_path / "bare").mkdir()
    refused(command, "nowhere.ply", "--scene", mini_scene, says="nowhere.ply")
    refused(command, "bare", "--scene", mini_scene, says="splats.ply")


@pytest.mark.parametrize("spoil", ["nan", "cut", "text"])
def test_a_ply_that_cannot_be_shown(refused, tmp_path, mini_scene, spoil):
    import numpy as np

    names = ["x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2", "opacity"]
    names += [f"scale_{n}" for n in range(3)] + [f"rot_{n}" for n in range(4)]
    header = ["ply", "format binary_little_endian 1.0", "element vertex 3"]
    header += [f"property float {name}" for name in names] + ["end_header", ""]
    values = np.full((3, len(names)), 0.5, np.float32)
    if spoil == "nan":
        values[1, 6] = np.nan
    content = "\n".join(header).encode() + values.tobytes()
    content = {"nan": content, "cut": content[:-40], "text": b"not a ply\n"}[spoil]
    (tmp_path / "bad.ply").write_bytes(content)
    refused("eval", "bad.ply", "--scene", mini_scene, says="bad.ply")
