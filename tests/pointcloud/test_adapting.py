"""One's own classes by an adapter, and classes forgotten; the base stays as it is."""

from __future__ import annotations

import numpy as np
import pytest

import pointcloud
from backbones.adapter_files import fingerprint
from backbones.adapters import AdapterConfig, adapters_of, attach, low_rank_parts
from backbones.config import BackboneConfig
from backbones.unlearning import UnlearningConfig
from data.errors import UserError
from pointcloud import adapting
from pointcloud.calibration import probabilities
from pointcloud.classifier_files import SavedClassifier, load_classifier, new_model
from pointcloud.classifier_files import save_classifier as save
from pointcloud.config import FitConfig, TransformerConfig
from pointcloud.fitting import fit, initial_state
from pointcloud.forgetting import bounded, forget, parted
from pointcloud.package_weights import NAMES, weights_file
from pointcloud.prediction import accuracy, scores
from tests.pointcloud.small_models import SMALL as SMALL_MODELS
from tests.pointcloud.solids import made_clouds

SMALL = TransformerConfig(128, 12, 6, BackboneConfig(width=24, depth=2, heads=3, head_dim=8))
OLD, NEW = made_clouds(("ball", "box", "rod"), 12), made_clouds(("ring", "cone", "rod"), 12)
ADAPTER = AdapterConfig("sine-lora", 2, 4.0, 50.0)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    config = FitConfig(steps=80, batch=12, rate=5e-3)
    state = initial_state(new_model(SMALL, 3, seed=1), config)
    fit(state, OLD, config)
    path = tmp_path_factory.mktemp("base") / "base.safetensors"
    save(path, SavedClassifier(state.model, OLD.classes))
    return path


@pytest.mark.parametrize("bits", [None, 4])
def test_new_classes_get_a_head_and_come_back_from_the_file(base, tmp_path, bits) -> None:
    adaptation, data = adapting.begin(load_classifier(base), NEW, ADAPTER)
    assert adaptation.new_head and adaptation.classes == NEW.classes
    before = accuracy(adaptation.model, data).overall
    assert before > 0.5  # a head on the base's features
    adapting.adapt(adaptation, data, FitConfig(steps=60, batch=12, rate=3e-3, weight_decay=0.0))
    path = tmp_path / "a.safetensors"
    size = adaptation.save(path, bits)
    assert size - adaptation.payload(bits) < 900
    read_back, loaded = adapting.load_adapted(load_classifier(base), path)
    assert (read_back.classes, loaded.bits) == (NEW.classes, bits)
    expected = scores(adaptation.model, NEW.clouds)
    np.testing.assert_allclose(scores(read_back.model, NEW.clouds), expected, atol=1e-3)
    assert accuracy(read_back.model, NEW).overall > before


def test_known_classes_keep_the_bases_head(base, tmp_path) -> None:
    turned = made_clouds(("rod", "ball"), 6)
    saved = load_classifier(base)
    answers = scores(saved.model, turned.clouds)
    adaptation, data = adapting.begin(saved, turned, ADAPTER)
    assert not adaptation.new_head and data.classes == OLD.classes
    np.testing.assert_array_equal(scores(adaptation.model, turned.clouds), answers)
    adaptation.save(tmp_path / "a.safetensors")
    read_back, loaded = adapting.load_adapted(load_classifier(base), tmp_path / "a.safetensors")
    assert not loaded.extra and read_back.classes == OLD.classes


def test_training_leaves_the_base_alone(base) -> None:
    saved = load_classifier(base)
    adaptation, data = adapting.begin(saved, OLD, ADAPTER)
    adapting.adapt(adaptation, data, FitConfig(steps=3, batch=6))
    assert (
        fingerprint(adaptation.model) == adaptation.base == fingerprint(load_classifier(base).model)
    )


def test_an_adapter_of_another_base_is_refused(base, tmp_path) -> None:
    adaptation, _ = adapting.begin(load_classifier(base), NEW, ADAPTER)
    adaptation.save(tmp_path / "a.safetensors")
    other = SavedClassifier(new_model(SMALL, 3, seed=2), OLD.classes, {})
    with pytest.raises(UserError, match="expected the base it was trained on"):
        adapting.load_adapted(other, tmp_path / "a.safetensors")


@pytest.mark.parametrize("name", SMALL_MODELS)
def test_every_model_can_be_adapted_and_keeps_its_norms(name, tmp_path) -> None:
    config = SMALL_MODELS[name]
    save(tmp_path / "base", SavedClassifier(new_model(config, 3, seed=1), OLD.classes))
    saved = load_classifier(tmp_path / "base")
    buffers = {n: b.clone() for n, b in saved.model.named_buffers()}
    adaptation, data = adapting.begin(saved, NEW, ADAPTER)
    adapting.adapt(adaptation, data, FitConfig(steps=4, batch=12, rate=3e-3))
    found = dict(adaptation.model.named_buffers())
    assert all((found[n] == b).all() for n, b in buffers.items())
    adaptation.temperature = 1.5
    adaptation.save(tmp_path / "a")
    read_back, _ = adapting.load_adapted(load_classifier(tmp_path / "base"), tmp_path / "a")
    answers = scores(adaptation.model, NEW.clouds)
    np.testing.assert_allclose(scores(read_back.model, NEW.clouds), answers, atol=1e-4)
    predictor = pointcloud.load(tmp_path / "base", adapter=tmp_path / "a")
    assert predictor.labels == NEW.classes and predictor.temperature == 1.5
    given = predictor.predict(list(NEW.clouds))
    np.testing.assert_allclose(given, probabilities(answers, 1.5), atol=1e-3)


def test_a_class_is_forgotten_and_the_others_kept(base) -> None:
    model = load_classifier(base).model
    before = accuracy(model, OLD)
    assert before.by_class["rod"] > 0.8
    config = bounded(SMALL, rank=2)
    assert set(config.targets) == {"mlp_in", "mlp_out"} and config.omega == 100
    steps = forget(model, OLD, ("rod",), config, UnlearningConfig(40, 2e-3), batch=12)
    assert steps == 40 and len(adapters_of(model)) == 4
    gone, kept = (accuracy(model, part) for part in parted(OLD, ("rod",)))
    assert gone.overall <= 1 / 3
    assert kept.overall >= before.overall - 0.1
    with pytest.raises(ValueError, match="to forget and to keep"):
        forget(model, OLD, ("cone",), config, UnlearningConfig(1))


@pytest.mark.parametrize("name", NAMES)
def test_each_model_of_the_package_takes_the_default_adapter(name: str) -> None:
    saved = load_classifier(weights_file(name))
    adaptation, _ = adapting.begin(saved, NEW, AdapterConfig())
    low_rank = low_rank_parts(adapters_of(adaptation.model))
    assert low_rank and all(len(part.b) > 3 and part.a.shape[1] > 3 for part in low_rank.values())
    saved = load_classifier(weights_file(name))
    assert (
        attach(saved.model, bounded(saved.model.config, "sine-lora", 4)).keys() <= low_rank.keys()
    )
