"""What a classifier says of the cloud: the top five, and why."""

from __future__ import annotations

import html
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from app.predictors import FamiliarClassifier
from app.viewer.class_view import ClassView
from app.viewer.interfaces import ExplainingPredictor, Explanation, Predictor
from data.errors import UserError

if TYPE_CHECKING:
    from viser import ViserServer

    from app.viewer.cloud_view import CloudView

TOP = 5
_UNLIKE = "Unlike all it was trained on. These are the nearest classes it knows."
_STYLE = """<style>
.d3c {padding:0.2em 0.8em 0.6em; font-size:0.9em; font-variant-numeric:tabular-nums}
.d3c div {display:grid; grid-template-columns:7.5em 1fr 4.4em; gap:0.6em; align-items:center;
 margin:0.15em 0}
.d3c u {display:block; height:0.6em; border-radius:3px; background:rgba(128,128,128,0.18)}
.d3c i {display:block; height:0.6em; border-radius:3px; background:#58a6ff}
.d3c b {font-weight:500; text-align:right; white-space:nowrap}
.d3c .first span, .d3c .first b {font-weight:700}
.d3c p {margin:0.3em 0 0.5em; padding:0.3em 0.6em; border-left:3px solid #d29922}
</style>"""


class ClassPanel:
    """A folder in the main panel; clouds are classified, and the predictor is loaded, beside the
    page's own work."""

    def __init__(
        self,
        server: ViserServer,
        view: CloudView,
        load: Callable[[], Predictor],
        say: Callable[[str], None],
    ) -> None:
        gui = server.gui
        self._view, self._say = view, say
        self._load, self._predictor = load, None
        self._why = ClassView(server, view)
        self._turn = 0
        self._lock, self._loading = threading.Lock(), threading.Lock()
        with gui.add_folder("What it is"):
            self._bars = gui.add_html("")
            ellipsoids = gui.add_checkbox(
                "learned Gaussians", False, hint="Of the encoder, those first that matter most"
            )
            count = gui.add_slider("how many", 1, self._why.gaussians, 1, self._why.gaussians)
            self._sigmas = gui.add_text("drawn out to", "", disabled=True, visible=False)
            points = gui.add_checkbox(
                "deciding points", False, hint="Those that gave the maxima of the global feature"
            )
        self._ellipsoids, self._count, self._points = ellipsoids, count, points
        self._offer(None)

        @ellipsoids.on_update
        def _(_event: object) -> None:
            self._why.with_gaussians = ellipsoids.value
            self._sigmas.visible = ellipsoids.value
            self._draw()

        @count.on_update
        def _(_event: object) -> None:
            self._why.gaussians = int(count.value)
            self._draw()

        @points.on_update
        def _(_event: object) -> None:
            self._why.with_points = points.value
            self._draw()

    def classify(self) -> None:
        """Begin with the cloud on the page; what is still under way for another is dropped."""
        with self._lock:
            self._turn += 1
            turn = self._turn
        self._why.explanation = None
        self._why.draw()
        self._bars.content = f"{_STYLE}<div class='d3c'>looking…</div>"
        threading.Thread(
            target=self._work, args=(turn, self._view.cloud.xyz), name="viewer-class", daemon=True
        ).start()

    def _offer(self, why: Explanation | None) -> None:
        """Widgets for the reasons that there are."""
        gaussians = 0 if why is None else len(why.means)
        self._points.visible = why is not None
        for widget in (self._ellipsoids, self._count):
            widget.visible = gaussians > 0
        self._sigmas.visible = gaussians > 0 and self._ellipsoids.value
        if gaussians > 1:
            self._count.max = gaussians
            self._count.value = min(int(self._count.value), gaussians)

    def _draw(self) -> None:
        self._why.draw()
        self._sigmas.value = f"{self._why.sigmas:.2g} sigmas"

    def _loaded(self) -> Predictor:
        with self._loading:
            if self._predictor is None:
                self._predictor = self._load()
            return self._predictor

    def _work(self, turn: int, xyz: Float[np.ndarray, "n 3"]) -> None:
        bars, why = "", None
        try:
            predictor = self._loaded()
            unlike = isinstance(predictor, FamiliarClassifier) and predictor.unlike([xyz])[0]
            bars = top_bars(predictor.labels, predictor.predict(xyz)[0], _UNLIKE if unlike else "")
            if isinstance(predictor, ExplainingPredictor):
                why = predictor.explain(xyz)
        except Exception as error:  # the page goes on without an answer
            plain = isinstance(error, UserError)
            self._say(str(error) if plain else f"{type(error).__name__}: {error}")
        with self._lock:
            if turn != self._turn:
                return
            self._bars.content = bars
            self._offer(why)
            self._why.explanation = why
            self._draw()


def top_bars(
    labels: Sequence[str], probabilities: Float[np.ndarray, "classes"], remark: str = ""
) -> str:
    """The most probable classes as bars below a remark, as HTML."""
    order = np.argsort(-np.asarray(probabilities), kind="stable")[:TOP]
    rows = "".join(
        f"<div{' class=first' if rank == 0 else ''}><span>{html.escape(str(labels[k]))}</span>"
        f"<u><i style='width:{100 * float(probabilities[k]):.1f}%'></i></u>"
        f"<b>{100 * float(probabilities[k]):.1f} %</b></div>"
        for rank, k in enumerate(order.tolist())
    )
    remark = f"<p>{html.escape(remark)}</p>" if remark else ""
    return f"{_STYLE}<div class='d3c' style='display:block'>{remark}{rows}</div>"
