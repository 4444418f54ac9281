"""MotionPage: skeletons over time in the browser, beside the 2D they were lifted from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from app.durations import format_duration
from app.viewer import address
from app.viewer.cameras import Pose
from app.viewer.captions import plain_number
from app.viewer.error_panel import ErrorPanel
from app.viewer.input_panel import InputPanel
from app.viewer.interfaces import Lifter
from app.viewer.motion_panel import MotionPanel
from app.viewer.placement import SIZE
from app.viewer.playback import Clock, Playback, Unhurried
from app.viewer.served_page import ServedPage
from app.viewer.skeleton_view import SkeletonView
from app.viewer.timeline_panel import TimelinePanel
from app.viewer.upload import add_upload
from data import keypoints
from data.motion import Motion
from data.motion_files import READ, read_motions

NO_LIFTING = "keypoint files cannot be lifted here; expected a motion (.npz, .bvh, .glb)"
_SLOWLY_S = 0.08
"""Between two pictures of the 2D input."""


class MotionPage(ServedPage):
    """A page of one clip or several."""

    def __init__(
        self,
        clips: list[Motion],
        title: str = "",
        port: int | None = None,
        host: str = address.LOOPBACK,
        lifter: Lifter | None = None,
    ) -> None:
        super().__init__(title or clips[0].name, "", port, host)
        self._lifter = lifter
        self.playback = Playback(clips)
        self.view = SkeletonView(self._server, self.playback)
        self._slow = Unhurried(self._draw_slowly, _SLOWLY_S, self.panel.show_error)
        MotionPanel(self._server, self.playback, self.view, self._slow.wake)
        self._errors = ErrorPanel(self._server, self.playback)
        self._input = InputPanel(self._server, self.playback, self.view.look)
        TimelinePanel(self._server, self.playback)
        add_upload(
            self._server,
            "Open a motion" if lifter is None else "Open a motion or 2D keypoints",
            tuple(dict.fromkeys([*READ, *(keypoints.READ if lifter is None else lifter.endings)])),
            self._open,
            self.panel.show_error,
        )
        for listeners in (
            self.playback.on_frame,
            self.playback.on_joint,
            self.playback.on_clip,
        ):
            listeners.append(self._slow.wake)
        self.playback.on_clip.append(self._describe)
        self._describe()
        self._start_at(self._pose(), np.array([0.0, 1.0, 0.0]))
        self._clock = Clock(self.playback, self.clients)
        self._slow.start()
        self._clock.start()

    def close(self) -> None:
        """End the page and its threads."""
        for thread in ("_clock", "_slow"):
            if hasattr(self, thread):
                getattr(self, thread).end()
        super().close()

    def _open(self, path: Path, title: str) -> None:
        """Show the motions of an uploaded file, lifted if need be."""
        from data.errors import UserError

        if path.suffix in READ and not self._is_2d(path):
            clips = read_motions(path)
        elif self._lifter is None:
            raise UserError(f"{path}: {NO_LIFTING}")
        else:
            self.panel.say("lifting…")
            clips = self._lifter.lift_file(path)
        clips = [
            replace(clip, name=title if clip.name in ("", path.stem) else clip.name)
            for clip in clips
        ]
        self.panel.rename(title)
        self.playback.open(clips)

    def _is_2d(self, path: Path) -> bool:
        """Whether a .npz holds keypoints that wait for their lifting."""
        if path.suffix != ".npz" or self._lifter is None or ".npz" not in self._lifter.endings:
            return False
        from data.npz import read_arrays

        return "xyz" not in read_arrays(path)

    def _draw_slowly(self) -> None:
        self._input.draw()
        self._errors.draw()

    def _describe(self) -> None:
        motion = self.playback.motion
        units = motion.units or "units"
        cells = {
            "joints": f"{len(motion.skeleton):,}",
            "frames": f"{len(motion):,}",
            "length": f"{motion.seconds:.1f} s"
            if motion.seconds < 60
            else format_duration(motion.seconds),
            "size": f"{plain_number(motion.diagonal)} {units}",
            "a square": f"{self.view.grid_step:g} {units}",
        }
        if motion.observed is not None:
            cells["hidden"] = f"{100 * np.mean(~motion.observed):.1f} %"
        if motion.reprojection_px is not None:
            cells["off by"] = f"{plain_number(float(np.nanmedian(motion.reprojection_px)))} px"
        self.panel.say(motion.name)
        self.panel.show(cells)

    def _pose(self) -> Pose:
        """From the side, a little above."""
        middle = np.array([0.0, 0.1 * SIZE, 0.0])  # low, since panels stand at the foot of the page
        distance = 2.4 * max(self.view.placement.reach, 0.6 * SIZE)
        eye = middle + distance * np.array([0.35, 0.42, 1.0]) / np.linalg.norm([0.35, 0.42, 1.0])
        up = np.array([0.0, 1.0, 0.0])
        return Pose(np.array([1.0, 0, 0, 0]), eye, middle, up, fov_y_rad=0.75)
