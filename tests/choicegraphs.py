# SPDX-License-Identifier: MIT
"""Random graphs whose C is made as a user may choose: for size, balanced, in constant time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from graphs import random_graph
from importgraphs import random_imported_graph
from mapgraphs import random_map_graph, rare_graph
from widegraphs import random_wide_graph

from qnn.graph import Graph
from qnn.ops.choices import GOALS, SPEED, Choices

MAKERS = (rare_graph, random_graph, random_map_graph, random_imported_graph, random_wide_graph)


def chosen_graph(rng: np.random.Generator, name: str = "net") -> Graph:
    """Any random graph, optimized for anything, in constant time if for speed, else half the time."""
    goal, steady = str(rng.choice(GOALS)), bool(rng.integers(2))
    choices = Choices(optimize=goal, constant_time=steady or goal == SPEED)
    return replace(MAKERS[int(rng.integers(len(MAKERS)))](rng, name), choices=choices)


def steady_graph(rng: np.random.Generator, name: str = "net") -> Graph:
    """Any random graph whose instructions are the same for every input, optimized for anything."""
    choices = Choices(optimize=str(rng.choice(GOALS)), constant_time=True)
    return replace(MAKERS[int(rng.integers(len(MAKERS)))](rng, name), choices=choices)
