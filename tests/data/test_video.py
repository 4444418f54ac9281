"""The sharpest frame of each interval; what is no video; what stands already."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.errors import UserError
from data.video import extract_frames, is_video, sharpness

ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="the extra 'video' is not installed")


def write(path: Path, frames: list[np.ndarray], fps: int = 10) -> Path:
    height, width = frames[0].shape[:2]
    writer = ffmpeg.write_frames(str(path), (width, height), fps=fps, macro_block_size=2)
    writer.send(None)
    for frame in frames:
        writer.send(np.ascontiguousarray(frame))
    writer.close()
    return path


def clip(path: Path) -> Path:
    """Three seconds at ten frames each: grey, but for a sharp one in each second, brighter each
    time."""
    frames = [np.full((64, 96, 3), 60, np.uint8) for _ in range(30)]
    checks = (np.indices((64, 96)).sum(0) // 8 % 2 * 80).astype(np.uint8)
    for second, number in enumerate((3, 15, 28)):
        frames[number] = np.repeat(checks[..., None] + np.uint8(40 * second), 3, axis=2)
    return write(path, frames)


def test_the_sharpest_of_each_second(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    count = extract_frames(
        clip(tmp_path / "clip.mp4"), tmp_path / "out", 1.0, lambda *what: seen.append(what)
    )
    files = sorted((tmp_path / "out").iterdir())
    assert count == len(files) == 3 and files[0].name == "frame_00001.jpg"
    means = [np.asarray(Image.open(file)).mean() for file in files]
    np.testing.assert_allclose(means, [40, 80, 120], atol=6)
    assert seen[-1][0] == "frames" and seen[-1][2] == 3


def test_what_stands_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.jpg").write_bytes(b"")
    assert extract_frames(tmp_path / "none.mp4", tmp_path / "out") == 1


def test_an_interruption_leaves_no_half_folder(tmp_path: Path) -> None:
    with pytest.raises(InterruptedError):
        extract_frames(clip(tmp_path / "clip.mp4"), tmp_path / "out", stopped=lambda: True)
    assert not (tmp_path / "out").exists()


def test_what_is_no_video_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"nothing")
    for name, part in (("bad.mp4", "expected a video that ffmpeg"), ("none.mp4", "found no file")):
        with pytest.raises(UserError, match=part) as caught:
            extract_frames(tmp_path / name, tmp_path / "out")
        assert "\n" not in str(caught.value)


def test_names_and_sharpness() -> None:
    assert is_video(Path("a/Clip.MOV")) and not is_video(Path("a/photo.jpg"))
    noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3)).astype(np.uint8)
    blurred = np.repeat(np.repeat(noise[::4, ::4], 4, axis=0), 4, axis=1)
    assert sharpness(noise) > sharpness(blurred) > sharpness(np.full_like(noise, 9)) == 0
