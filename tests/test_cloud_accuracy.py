"""Comparisons of trained classifiers: paired intervals, changes of clouds, the queue."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.cloud_accuracy import difference_rows, grouped_by_model, paired
from benchmarks.cloud_changes import changed, changes, half_unseen
from pointcloud.classifier_files import SavedClassifier, new_model, save_classifier
from pointcloud.config import GaussianConfig, GaussianNetConfig


def test_paired_by_hand():
    # 100 clouds: both right 80, only the first 10, only the second 4, none 6
    first = np.repeat([True, True, False, False], [80, 10, 4, 6])
    second = np.repeat([True, False, True, False], [80, 10, 4, 6])
    found = paired(first, second)
    assert found.points == pytest.approx(6.0)
    half = 1.96 * np.sqrt(14 - 36 / 100)
    assert (found.low, found.high) == pytest.approx((6.0 - half, 6.0 + half))
    assert paired(first, first) == type(found)(0.0, 0.0, 0.0)


def test_changes_keep_what_they_say():
    clouds = list(np.random.default_rng(0).uniform(-1, 1, (3, 200, 3)).astype(np.float32))
    counts = {"50% of points dropped": 100, "half unseen": 100, "128 points": 128}
    counts |= {"100,000 points": 100_000}
    for name, change in changes().items():
        once, again = ([changed(c, k, change) for k, c in enumerate(clouds)] for _ in range(2))
        assert all(np.array_equal(a, b) for a, b in zip(once, again, strict=True)), name
        assert {len(cloud) for cloud in once} == {counts.get(name, min(len(once[0]), 10_000))}
    flat = clouds[0] * (1, 1, 0)
    turned = changed(flat, 0, changes()["turned about z by up to 180 degrees"])
    np.testing.assert_allclose(np.linalg.norm(turned, axis=1), np.linalg.norm(flat, axis=1), 1e-5)
    assert np.abs(turned - flat).max() > 0.1 and np.ptp(turned[:, 2]) == 0


def test_the_unseen_half_is_behind():
    xyz = np.random.default_rng(1).normal(size=(100, 3))
    seen = half_unseen(xyz, np.random.default_rng(5))
    towards = np.random.default_rng(5).normal(size=3)
    hidden = [point for point in xyz if not (seen == point).all(1).any()]
    assert len(seen) == 50 and (seen @ towards).min() > max(np.array(hidden) @ towards)


def test_models_are_compared_by_seeds_that_both_have():
    def one(name, said):
        return {"name": name, "figures": {"said": said}}

    labels = np.array([0, 1, 1, 0])
    standing = {
        "a": one("net", [0, 1, 1, 1]),
        "b": one("net-seed1", [0, 1, 1, 0]),
        "c": one("other-seed1", [1, 1, 1, 0]),
    }
    models = grouped_by_model(standing)
    assert list(models["net"]) == [0, 1] and list(models["other"]) == [1]
    ((name, points, _, seeds),) = difference_rows(models, labels)
    assert (name, points, seeds) == ("other - net", "-25.00", "1")


def test_the_queue_asks_a_model_once(tmp_path):
    rng = np.random.default_rng(2)
    points = rng.normal(size=(20, 64, 3)).astype(np.float32)
    kinds = {"label": np.arange(20) % 2, "classes": np.array(["flat", "round"])}
    np.savez(tmp_path / "clouds.npz", points=points, **kinds)
    config = GaussianNetConfig(64, 16, t_net=False, encoder=GaussianConfig(4))
    weights = tmp_path / "tiny.safetensors"
    save_classifier(weights, SavedClassifier(new_model(config, 2, 0), ("flat", "round")))
    words = [sys.executable, "-m", "benchmarks.cloud_accuracy", tmp_path / "clouds.npz"]
    words += ["--weights", weights, "--changes", "--folder", tmp_path / "results"]
    words += ["--others", tmp_path / "clouds.npz"]
    outputs = [
        subprocess.run(list(map(str, words)), capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    (result,) = (tmp_path / "results").glob("clouds-held-out-0.2-tiny-*.json")
    figures = json.loads(result.read_text())["figures"]
    assert {"as it is", "half unseen", "--up auto"} <= set(figures["changes"])
    # a model that does not know what it was trained on flags nothing
    assert figures["flagged"]["clouds"] == {"all": 0.0, "flat": 0.0, "round": 0.0}
    assert "stands already" in outputs[1] and "half unseen" in outputs[1]
    assert "clouds: round" in outputs[1]
