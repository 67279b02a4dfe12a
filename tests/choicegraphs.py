# SPDX-License-Identifier: MIT
"""Random graphs whose C is made as a user may choose: for size, or balanced."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from graphs import random_graph
from importgraphs import random_imported_graph
from mapgraphs import random_map_graph, rare_graph

from qnn.graph import Graph
from qnn.ops.choices import BALANCED, SIZE, Choices

MAKERS = (rare_graph, random_graph, random_map_graph, random_imported_graph)


def sized_graph(rng: np.random.Generator, name: str = "net") -> Graph:
    """Any random graph, optimized for size two times in three, else balanced."""
    goal = BALANCED if rng.integers(3) == 0 else SIZE
    return replace(MAKERS[int(rng.integers(len(MAKERS)))](rng, name), choices=Choices(optimize=goal))
