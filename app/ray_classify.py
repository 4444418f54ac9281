"""Files too many for one machine: the same predictor on Ray, a task for each few dozen of them.

Ray runs a task again whose process or machine was lost; what was finished is on disk here.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.answer_lines import row
from app.classify_options import ClassifyOptions
from app.classifying import Refusal, classified
from app.predictors import CloudClassifier, load_predictor
from app.ray_results import Results
from data.errors import UserError, printable

FILES_A_TASK = 64
_TASKS_A_CORE = 2
"""That wait or run: enough that no core idles while a part is written."""
_PATIENCE_S = 10.0
Load = Callable[..., CloudClassifier]


@dataclass(frozen=True)
class Work:
    """What every task is told; small, the weights lie in Ray's store."""

    name: str
    """Of a model in the package, or of the user's file."""
    digest: str
    """Of that file, empty for a name."""
    options: ClassifyOptions
    load: Load = load_predictor
    int8: bool = False
    """Whether its weights are rounded to bytes."""


def work_of(
    name_or_path: str, options: ClassifyOptions, load: Load = load_predictor, *, int8: bool = False
) -> Work:
    """The work of a model."""
    path = Path(name_or_path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    if int8:
        load = functools.partial(load, int8=True)
    return Work(name_or_path, digest, options, load, int8)


def name_of(path: Path) -> str:
    """Of a file in the results: the same from any working folder."""
    return printable(str(path.absolute()))


def expect_packages() -> None:
    """UserError where one of the extra's packages is missing."""
    for name in ("ray", "pyarrow"):
        if importlib.util.find_spec(name) is None:
            raise UserError(
                f"--ray: expected the package {name}, found it missing; pip install 'darb3d[ray]'"
            )


def results_of(work: Work, out: Path) -> Results:
    """The folder of its answers."""
    model = (work.digest or work.name) + (" int8" if work.int8 else "")
    return Results(out, {"model": model, **asdict(work.options)})


def classify_on_ray(
    work: Work,
    paths: Sequence[Path],
    results: Results,
    address: str,
    files_a_task: int = FILES_A_TASK,
) -> Iterator[list[dict[str, Any]]]:
    """Rows of one part after the other, written before they are yielded; files in `results` are
    left out. `address` is `local`, `auto` or that of a cluster."""
    done = results.done
    left = [path for path in dict.fromkeys(map(Path.absolute, paths)) if name_of(path) not in done]
    if not left:
        return
    ray = _connected(address)
    try:
        weights = ray.put(Path(work.name).read_bytes() if work.digest else b"")
        # -1: as often as it takes; a spoilt file is no failure of a task but a row of its answer
        remote = ray.remote(num_cpus=1, max_retries=-1)(_task)
        cores = max(1, int(ray.cluster_resources().get("CPU", 1)))
        waiting = (left[k : k + files_a_task] for k in range(0, len(left), files_a_task))
        running: list[Any] = []
        while True:
            while len(running) < _TASKS_A_CORE * cores and (some := next(waiting, None)):
                running.append(remote.remote(work, weights, some))
            if not running:
                return
            (ready,), running = ray.wait(running, num_returns=1)
            rows = ray.get(ready)
            results.add(rows)
            yield rows
    finally:
        ray.shutdown()


def _connected(address: str) -> Any:
    import ray

    _expect_listener(address)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address == "local":
        quiet["include_dashboard"] = False
    try:
        ray.init(address=address, **quiet)
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
        raise UserError(
            f"--ray {address}: expected a Ray cluster there, found: {error!s:.200}; start one with"
            " ray start --head, or give --ray without an address"
        ) from None
    return ray


def _expect_listener(address: str) -> None:
    """UserError where nobody listens: Ray itself tries for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host:
        return
    try:
        socket.create_connection((host, int(port)), timeout=_PATIENCE_S).close()
    except (OSError, ValueError, OverflowError) as error:
        raise UserError(
            f"--ray {address}: expected a Ray cluster there, found: {error}; start one with ray"
            " start --head, or give --ray without an address"
        ) from None


def _task(work: Work, weights: bytes, paths: list[Path]) -> list[dict[str, Any]]:
    """Rows of some files, on a worker."""
    predictor = _predictor(work, weights)
    rows = []
    for answer in classified(predictor, paths, work.options):
        if isinstance(answer, Refusal):
            rows.append({"file": printable(answer.file), "error": answer.reason})
            continue
        values = row(answer)
        values["top5"] = [{"label": name, "probability": p} for name, p in values["top5"]]
        rows.append(values)
    return rows


@functools.lru_cache(maxsize=1)
def _predictor(work: Work, weights: bytes) -> CloudClassifier:
    """Once for each process; a worker elsewhere has no file of that name, so it comes as bytes."""
    if not work.digest:
        return work.load(work.name)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(work.name).name
        path.write_bytes(weights)
        return work.load(str(path))
