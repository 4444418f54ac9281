"""Lifters on disk: weights, configuration and what they learnt from, in one safetensors file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from backbones.saved import fill, read_model, save_model
from data.errors import UserError
from lifting.config import LifterConfig, Terms, lifter_config
from lifting.model import Lifter, new_lifter

KIND = "lifter"
_SHIPPED = Path(__file__).parent / "weights"


@dataclass(frozen=True, eq=False)
class SavedLifter:
    """A lifter and what its training was."""

    model: Lifter
    about: dict[str, Any]


def save_lifter(path: str | Path, model: Lifter, about: dict[str, Any], half: bool = False) -> None:
    """Write a lifter; `about` is kept beside it. `half` keeps weights as float16."""
    options = asdict(model.config)
    options.pop("backbone")
    details = {"options": options, "about": about}
    save_model(path, model, model.config.backbone, KIND, details, half)


def load_lifter(path: str | Path) -> SavedLifter:
    """Read what `save_lifter` wrote; UserError for anything else."""
    if not Path(path).is_file():
        raise UserError(
            f"{path}: expected the weights of a lifter, found none; --weights names them"
        )
    saved = read_model(path)
    if saved.kind != KIND:
        raise UserError(
            f"{path}: expected a lifter, found a model of the kind {saved.kind or 'none'}; make one"
            " with darb3d fit lifter"
        )
    options, about = saved.details.get("options"), saved.details.get("about")
    try:
        if not isinstance(options, dict):
            raise ValueError(f"options: expected an object, found {options!r:.40}")
        # files from before there was the option know nothing of sides
        config: LifterConfig = lifter_config({"sides": False, **options, "backbone": saved.config})
    except (ValueError, TypeError) as error:
        raise UserError(f"{path}: {error}") from None
    model = new_lifter(config, 0)
    fill(model, saved.weights, str(path))
    return SavedLifter(model.eval(), about if isinstance(about, dict) else {})


def shipped_weights(terms: Terms = "permissive") -> Path:
    """Where the package's own weights lie; UserError where it has none."""
    path = _SHIPPED / f"lifter-{terms}.safetensors"
    if not path.is_file():
        raise UserError(
            f"{path}: expected the {terms} weights of the lifter, found none in this installation;"
            " name a file with --weights, or train one with darb3d fit lifter"
        )
    return path
