"""`darb3d view --save`: the command, its file, its errors; test_browser_draws looks at the page."""

from __future__ import annotations

import base64
import json
import re

import msgspec
import numpy as np
import zstandard

from data.clouds import PointCloud
from splatting import kernels
from splatting.export import save_ply
from splatting.splats import from_points


def test_writes_one_file_and_serves_nothing(darb3d, mini_scene, tmp_path):
    rng = np.random.default_rng(0)
    cloud = PointCloud(rng.normal(size=(50, 3)), rng.integers(0, 256, (50, 3)).astype(np.uint8))
    save_ply(tmp_path / "cup.ply", from_points(cloud, kernels.get("raised-cosine")))
    out = tmp_path / "new" / "page.html"
    result = darb3d.run("view", "cup.ply", "--scene", mini_scene, "--save", out, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    size = out.stat().st_size
    assert f"50 splats, raised-cosine, {size / 1e6:.1f} MB" in result.stdout
    assert "serving" not in result.stdout and [p.name for p in out.parent.iterdir()] == [out.name]

    page = out.read_text()
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page)
    recorded = base64.b64decode(re.search(r'__VISER_EMBED_DATA__="([^"]*)"', page)[1])
    content = zstandard.ZstdDecompressor().decompress(recorded[8:])
    length = int.from_bytes(content[:8], "little")
    messages = [
        message for _, message in msgspec.msgpack.decode(content[8 : 8 + length])["messages"]
    ]
    kinds = [message["type"] for message in messages]
    assert kinds.count("GaussianSplatsMessage") == 1
    (place,) = (m["position"] for m in messages if m["type"] == "SetCameraPositionMessage")
    # the first photo for training is the second one: 4 ahead of the origin, on an arc
    angle = np.linspace(-0.3, 0.3, 10)[1]
    np.testing.assert_allclose(place, [4 * np.sin(angle), 0, -4 * np.cos(angle)], atol=1e-6)
    assert not any("Gui" in kind for kind in kinds), json.dumps(kinds)


def test_names_that_are_no_page(darb3d, tmp_path):
    save_ply(tmp_path / "cup.ply", from_points(PointCloud(np.eye(3)), kernels.get("gaussian")))
    (tmp_path / "file").touch()
    (tmp_path / "folder.html").mkdir()
    for wrong in ("page.txt", "folder.html", "file/page.html"):
        result = darb3d.run("view", "cup.ply", "--save", wrong, cwd=tmp_path)
        assert result.returncode == 2 and "Traceback" not in result.stderr
        assert "--save: expected" in result.stderr and wrong in result.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cup.ply", "file", "folder.html"]
