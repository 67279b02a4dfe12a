# SPDX-License-Identifier: MIT
"""What stays the same during a training."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qnn.data.dataset import Dataset
from qnn.errors import QnnError
from qnn.forward import node_shapes, output_shape
from qnn.losses import Loss, loss_for
from qnn.model import Model, Node
from qnn.modelfile import model_hash
from qnn.net import build_nodes, convolves, net_text, parse_net
from qnn.net.tree import Item
from qnn.optimizers import Optimizer, optimizer_for
from qnn.prepare import sliding_channels, takes_grid
from qnn.progress import Progress
from qnn.training.batches import Batches
from qnn.training.fakenodes import training_nodes
from qnn.training.normalization import Fitted, fit_normalization
from qnn.training.options import TrainOptions, augmentation_of, resolved
from qnn.training.qat import begin, check_start
from qnn.training.samples import choose_samples
from qnn.training.shards import SHARDS, Goal, goal_of
from qnn.training.statistics import some_of
from qnn.training.teacher import check_teacher

MOST_HELD = 10_000  # training rows that are looked at after an epoch where there are no validation rows
MAX_STEP_BYTES = 1 << 32
VALUE_BYTES = 24  # that training takes for a value of a tensor: it, its gradient, and packed windows of it


@dataclass(frozen=True, eq=False)
class Callbacks:
    """Who is told how far training is, who is asked after every batch whether to stop, who hears of the inputs."""

    progress: Progress
    should_stop: Callable[[], bool]
    prepared: Callable[[Fitted], object] = lambda fitted: None


@dataclass(frozen=True, eq=False)
class Job:
    """A training: its data, its network with the initial parameters, its rules.

    batches: of all rows of a step; shards: of the parts of a step that are trained in parallel. goal is what is
    minimized, plain_loss (without smoothing) what is reported on `held`, the rows that choose the best epoch: the
    validation part, or some of the training part where there is none. path: of the model, if it goes to disk.
    nodes: what is trained. start_sha256: model_hash of the model that training begins with, "" without one.
    """

    dataset: Dataset
    model: Model
    nodes: tuple[Node, ...]
    options: TrainOptions
    optimizer: Optimizer
    goal: Goal
    teacher: Model | None
    teacher_sha256: str
    start_sha256: str
    plain_loss: Loss
    batches: Batches
    shards: tuple[Batches, ...]
    held: np.ndarray
    path: Path | None
    callbacks: Callbacks

    @property
    def steps_an_epoch(self) -> int:
        """How many batches an epoch has."""
        return math.ceil(len(self.dataset.train) / self.options.batch)

    @property
    def multiplications(self) -> int:
        """About how many the whole training takes: a backward pass counts twice."""
        shapes = node_shapes(self.model.nodes, self.model.schema.shape)
        macs = sum(node.layer.macs(tuple(shapes[name] for name in node.inputs)) for node in self.model.nodes)
        return 3 * macs * len(self.dataset.train) * self.options.epochs


def prepare(
    dataset: Dataset,
    net: str,
    options: TrainOptions,
    path: Path | None,
    callbacks: Callbacks,
    teacher: Model | None = None,
    start: Model | None = None,
) -> tuple[Job, np.random.Generator]:
    """The job, and the generator for its batches; initial weights and stored samples have generators of their own.

    start: what quantization-aware training begins with.
    """
    if dataset.y is None or not len(dataset.train):
        problem = "has no labels" if dataset.y is None else "has no training samples"
        raise QnnError(dataset.record.source, problem, "use data to learn from")
    if start is not None:
        check_start(start, dataset)  # before its own net is read as one for these data
    items = parse_net(net, dataset.schema)
    options = resolved(options, dataset, convolves(items))
    seeds = np.random.SeedSequence(options.seed).spawn(3)
    init_rng, sample_rng, rng = (np.random.Generator(np.random.PCG64(seed)) for seed in seeds)
    if start is not None:
        model = begin(start, dataset, options.qat)
    else:
        model = _fresh(dataset, items, options, init_rng, sample_rng, callbacks)
    (outputs,) = output_shape(model)
    _check_memory(dataset, model, options)
    if teacher is not None:
        check_teacher(teacher, model, dataset)
    job = Job(
        dataset=dataset,
        model=model,
        nodes=training_nodes(model),
        options=options,
        optimizer=optimizer_for(options.optimizer, options.momentum),
        goal=goal_of(
            loss_for(dataset.schema, outputs, options.smoothing), teacher, options.distill, options.temperature
        ),
        teacher=teacher,
        teacher_sha256=model_hash(teacher) if teacher else "",
        start_sha256=model_hash(start) if start else "",
        plain_loss=loss_for(dataset.schema, outputs),
        batches=Batches(dataset, model.normalization, options.batch),
        shards=_shards(dataset, model, options),
        held=dataset.validation if len(dataset.validation) else some_of(dataset.train, MOST_HELD),
        path=path,
        callbacks=callbacks,
    )
    return job, rng


def _fresh(
    dataset: Dataset,
    items: tuple[Item, ...],
    options: TrainOptions,
    init_rng: np.random.Generator,
    sample_rng: np.random.Generator,
    callbacks: Callbacks,
) -> Model:
    """A model with initial weights."""
    nodes = build_nodes(items, dataset.schema, init_rng, options.init)
    channels = sliding_channels(nodes, dataset.schema.shape)
    fitted = fit_normalization(dataset, options.normalize, takes_grid(nodes), channels)
    callbacks.prepared(fitted)
    samples, labels = choose_samples(dataset, sample_rng)
    return Model(
        net=net_text(items),
        schema=dataset.schema,
        record=dataset.record,
        normalization=fitted.normalization,
        nodes=nodes,
        samples=samples,
        kinds=tuple(choice.kind for choice in fitted.choices),
        labels=labels,
    )


def _check_memory(dataset: Dataset, model: Model, options: TrainOptions) -> None:
    """Raises QnnError where the tensors of one step would not fit MAX_STEP_BYTES."""
    values = sum(math.prod(shape) for shape in node_shapes(model.nodes, model.schema.shape).values())
    rows = min(options.batch, max(len(dataset.train), len(dataset.validation)))
    needed = rows * values * VALUE_BYTES
    if needed > MAX_STEP_BYTES:
        problem = f"of this network needs about {needed / 1e9:.0f} GB"
        raise QnnError(f"--batch {options.batch}", problem, "use a smaller batch or a smaller network")


def _shards(dataset: Dataset, model: Model, options: TrainOptions) -> tuple[Batches, ...]:
    """The buffers for the parts of a batch: SHARDS where layers with parameters work on maps, else one."""
    shapes = node_shapes(model.nodes, model.schema.shape)
    maps = any(node.parameters and len(shapes[node.inputs[0]]) > 1 for node in model.nodes)
    count = SHARDS if maps else 1
    size = -(-options.batch // count)
    return tuple(Batches(dataset, model.normalization, size, augmentation_of(options)) for _ in range(count))
