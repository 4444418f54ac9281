"""Pages of what is no splats: clouds of points and motions."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from app.kinds import kind_of
from data.errors import UserError

if TYPE_CHECKING:
    from app.viewer.served_page import ServedPage


def object_page(
    paths: Sequence[Path],
    port: int | None,
    host: str,
    classifier: str | None = None,
    lifter: str | None = None,
    edges: str | None = None,
) -> ServedPage | None:
    """The page of a cloud, or of motions together; None where `paths` hold splats.

    `classifier`, a name or a file, says what a cloud is; the package's own where none is given, and
    none for "none". 2D keypoints become motions by the `lifter` of a name or a file, or by the
    package's own, with the skeleton `edges` if given. UserError for what does not go on one page.
    """
    given = [kind_of(path) for path in paths]
    kinds = ["motion" if kind == "keypoints" else kind for kind in given]
    if len(set(kinds)) > 1:
        found = ", ".join(f"{path} ({kind})" for path, kind in zip(paths, kinds, strict=True))
        raise UserError(f"expected files of one kind for one page, found {found}")
    if classifier is not None and kinds[0] != "cloud":
        raise UserError(f"--classifier: expected a cloud of points to name, found {kinds[0]}")
    for option, value in (("--lifter", lifter), ("--edges", edges)):
        if value is not None and kinds[0] != "motion":
            raise UserError(f"{option}: expected 2D keypoints to lift, found {kinds[0]}")
    if kinds[0] == "motion":
        flat = [path for path, kind in zip(paths, given, strict=True) if kind == "keypoints"]
        return _motion_page(paths, flat, port, host, lifter, edges)
    if kinds[0] == "cloud":
        return _cloud_page(paths, port, host, classifier)
    return None


def _motion_page(
    paths: Sequence[Path],
    flat: Sequence[Path],
    port: int | None,
    host: str,
    name: str | None,
    edges: str | None,
) -> ServedPage:
    """Of motions, among which the files `flat` are to be lifted."""
    from app.lifters import named_lifter
    from app.viewer.motion_page import MotionPage
    from data.motion_files import read_motions

    if edges is not None and not flat:
        raise UserError(f"--edges: expected 2D keypoints to lift, found motions, {paths[0]}")
    lifter = named_lifter(name)
    clips = []
    for path in paths:
        read = lifter.lift_file(path, edges) if path in flat else read_motions(path)
        # files are told apart by their names, the clips of one by their own
        clips += [replace(read[0], name=path.stem)] if len(read) == 1 and len(paths) > 1 else read
    title = paths[0].name if len(paths) == 1 else f"{len(paths)} files"
    return MotionPage(clips, title, port, host, lifter)


def _cloud_page(
    paths: Sequence[Path], port: int | None, host: str, classifier: str | None
) -> ServedPage:
    from app.predictors import load_predictor
    from app.viewer.cloud_page import CloudPage
    from data.clouds import read_cloud
    from pointcloud.package_weights import NAMES, weights_file

    if len(paths) > 1:
        raise UserError(f"expected one cloud, found {len(paths)}; the page opens others by upload")
    load = None
    if classifier != "none":
        path = weights_file(classifier or NAMES[0], "--classifier")
        load = functools.partial(load_predictor, str(path))
    return CloudPage(read_cloud(paths[0]), paths[0].name, port, host, load)
