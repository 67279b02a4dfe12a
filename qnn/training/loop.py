# SPDX-License-Identifier: MIT
"""Training from start to end: the best model on disk after each epoch, stopping and going on at any time."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from qnn.blas import blas_threads
from qnn.data.dataset import Dataset
from qnn.errors import QnnError
from qnn.files import StrPath, write_all_whole
from qnn.learned import Reached
from qnn.metrics import metric_name
from qnn.model import Model
from qnn.modelfile import FLOAT_MODEL, model_bytes
from qnn.net import default_net
from qnn.outputs import check_replaceable
from qnn.progress import Progress, silent
from qnn.training.engine import bind, flat_parameters
from qnn.training.epoch import close_epoch, run_epoch
from qnn.training.helper import helper_for
from qnn.training.job import Callbacks, Job, prepare
from qnn.training.normalization import Fitted
from qnn.training.options import TrainOptions, changed, option_name
from qnn.training.qat import trained
from qnn.training.resume import AGAIN, UNFINISHED, Unfinished, read_unfinished, resume_path, unfinished_bytes
from qnn.training.shards import Partner, processors
from qnn.training.state import Epoch, State, fresh_state

MAY_CHANGE = ("epochs", "patience")  # what may differ when a training is resumed
SAME_DATA = ("sha256", "seed", "split", "validation_fraction", "test_fraction")  # of the record; a path may differ
DEFAULT = TrainOptions()
WORTH_HELP = 1 << 35  # multiplications: some seconds


@dataclass(frozen=True, eq=False)
class TrainResult:
    """model: of the epoch `best` (both None if no epoch was finished). options: as used. stopped: by should_stop?"""

    model: Model | None
    options: TrainOptions
    history: tuple[Epoch, ...]
    best: Epoch | None
    stopped: bool


def train(
    dataset: Dataset,
    net: str | None = None,
    options: TrainOptions = DEFAULT,
    path: StrPath | None = None,
    *,
    teacher: Model | None = None,
    start: Model | None = None,
    resume: bool = False,
    progress: Progress = silent,
    observer: Callable[[Epoch], object] = lambda epoch: None,
    should_stop: Callable[[], bool] = lambda: False,
    prepared: Callable[[Fitted], object] = lambda fitted: None,
) -> TrainResult:
    """Train NET on the training rows of `dataset`; the validation rows choose the best epoch, test rows are not read.

    With `path`, the best model so far is there after every epoch, and beside it a resume file until training ends; it
    stays where more epochs were done than options.epochs asks for.
    `resume` continues from that file to the result that an uninterrupted training gives, bit for bit.
    `teacher`: a model whose outputs the network learns as well (options.distill, options.temperature).
    `start`: the float model whose weights quantization-aware training (options.qat) begins with; NET is its own.
    `should_stop` is asked after every batch, `observer` gets every epoch, `prepared` hears how inputs are normalized
    before the first. Raises QnnError for NET or options that do
    not fit, data without labels, a training that diverges, files that cannot be written, and a resume file that is
    missing, damaged or of another training.
    """
    if path is not None:
        path = Path(path)
        check_outputs(path)
    unfinished = read_unfinished(path) if resume and path is not None else None
    if start is not None:
        net = start.net
    if net is None:
        net = unfinished.net if unfinished else default_net(dataset.schema)
    job, rng = prepare(dataset, net, options, path, Callbacks(progress, should_stop, prepared), teacher, start)
    parameters = flat_parameters(job.nodes)
    if unfinished is not None and path is not None:
        _check_same(job, unfinished, parameters.size, resume_path(path))
        state = unfinished.state
    else:
        state = fresh_state(parameters, job.optimizer, rng)
    overdue = unfinished is not None and len(state.history) > job.options.epochs
    if not overdue:  # an output that cannot be written is known before the work, not after
        _store(job, state, state.best_epoch is not None)
    # Parts of a batch are shared by processes, not by threads.
    with blas_threads(0 if len(job.shards) > 1 else job.options.batch * _largest_layer(job)):
        stopped = _run(job, state, observer)
    if path is not None and not stopped and not overdue:
        resume_path(path).unlink(missing_ok=True)
    best = state.best_epoch
    return TrainResult(_model(job, state) if best else None, job.options, state.history, best, stopped)


def check_outputs(path: Path) -> None:
    """Raises QnnError where a training that writes a model to `path` would replace something else."""
    if not path.name or path.is_dir():
        raise QnnError(path, "is a folder", "name a file, such as model.qnn")
    check_replaceable([(path, FLOAT_MODEL), (resume_path(path), UNFINISHED)])


def _run(job: Job, state: State, observer: Callable[[Epoch], object]) -> bool:
    """Epoch after epoch until the end; True if it was asked to stop before."""
    start = time.perf_counter() - (state.history[-1].seconds if state.history else 0.0)
    with _partner(job, state) as partner:
        while not _finished(job.options, state):
            train_loss = run_epoch(job, state, partner)
            if train_loss is None:
                return True
            epoch = close_epoch(job, state, train_loss, time.perf_counter() - start)
            _store(job, state, epoch.best)
            observer(epoch)
    return False


def _partner(job: Job, state: State) -> AbstractContextManager[Partner | None]:
    """A second process where batches have parts, there is a processor for it, and the work is worth its start."""
    worth = job.multiplications >= WORTH_HELP and not _finished(job.options, state)
    if len(job.shards) < 2 or processors() < 2 or not worth:
        return nullcontext()
    return helper_for(job.model, job.teacher, job.dataset, job.options)


def _check_same(job: Job, unfinished: Unfinished, parameters: int, file: Path) -> None:
    """Raises QnnError unless `job` is what `unfinished` was, apart from MAY_CHANGE."""
    old, new = unfinished.record, job.dataset.record
    if any(getattr(old, name) != getattr(new, name) for name in SAME_DATA):
        raise QnnError(file, "was trained on other data or another split", "use the same data and options, or " + AGAIN)
    if unfinished.net != job.model.net:
        raise QnnError(file, f'was trained with --net "{unfinished.net}"', "use that, or " + AGAIN)
    if unfinished.teacher_sha256 != job.teacher_sha256:
        was = "with another --teacher" if unfinished.teacher_sha256 else "without --teacher"
        raise QnnError(file, f"was trained {was}", "name the same, or " + AGAIN)
    if unfinished.start_sha256 != job.start_sha256:
        was = "from another model" if unfinished.start_sha256 else "without --from"
        raise QnnError(file, f"was trained {was}", "name the same with --from, or " + AGAIN)
    names = changed(unfinished.options, job.options, MAY_CHANGE)
    if names:
        values = ", ".join(f"{option_name(name)} {getattr(unfinished.options, name)}" for name in names)
        raise QnnError(file, f"was trained with {values}", "use that, or " + AGAIN)
    state = unfinished.state
    if state.parameters.size != parameters or len(state.memory) != job.optimizer.vectors:
        raise QnnError(file, "does not fit its network", AGAIN)


def _store(job: Job, state: State, with_model: bool) -> None:
    """Write the resume file, and the best model if it is wanted: both or none."""
    if job.path is None:
        return
    unfinished = Unfinished(job.model.net, job.options, job.dataset.record, state, job.teacher_sha256, job.start_sha256)
    outputs = [(resume_path(job.path), unfinished_bytes(unfinished))]
    if with_model:
        outputs.insert(0, (job.path, model_bytes(_model(job, state))))
    write_all_whole(outputs)


def _finished(options: TrainOptions, state: State) -> bool:
    best = state.best_epoch
    waited = len(state.history) - best.number if best else 0
    return len(state.history) >= options.epochs or (options.patience > 0 and waited >= options.patience)


def _model(job: Job, state: State) -> Model:
    best, metric = state.best_epoch, metric_name(job.dataset.schema)
    rows = "validation samples" if len(job.dataset.validation) else "training samples"
    reached = Reached(metric, best.metric, len(job.held), rows) if best is not None else None
    return trained(job.model, bind(job.nodes, state.best.copy()), reached)


def _largest_layer(job: Job) -> int:
    return max((array.size for node in job.model.nodes for array in node.parameters), default=0)
