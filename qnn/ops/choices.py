# SPDX-License-Identifier: MIT
"""How the C of a graph is to be made. No choice changes a bit of any result."""

from __future__ import annotations

from dataclasses import dataclass

from qnn.errors import QnnError

FLASH, RAM, AUTO = "flash", "ram", "auto"
MEMORIES = (AUTO, FLASH, RAM)
SPEED, BALANCED, SIZE = "speed", "balanced", "size"
GOALS = (SPEED, BALANCED, SIZE)
ON, OFF = "on", "off"
PACKS = (AUTO, ON, OFF)


@dataclass(frozen=True)
class Weights:
    """Where constants are to live: `memory` for all layers, and (layer, memory) for single ones."""

    memory: str = FLASH
    layers: tuple[tuple[str, str], ...] = ()

    def of(self, layer: str) -> str:
        """What was asked for `layer`."""
        return dict(self.layers).get(layer, self.memory)

    def __str__(self) -> str:
        return ",".join((self.memory, *(f"{layer}={memory}" for layer, memory in self.layers)))


@dataclass(frozen=True)
class Choices:
    """What the user chose.

    optimize: one of GOALS. constant_time: the same instructions for every input. pack: one of PACKS: weights of 2 to 6
    bits are stored in so many where flash gets smaller with it, code included; wherever constants do; or never.
    """

    weights: Weights = Weights()
    optimize: str = SPEED
    constant_time: bool = False
    pack: str = AUTO


DEFAULT = Choices()


def check_goal(text: str, subject: object) -> str:
    """`text` if it is one of GOALS. Raises QnnError, about `subject`, for anything else."""
    if text not in GOALS:
        raise QnnError(subject, f"{text[:80]!r} is nothing to optimize for", f"use {', '.join(GOALS)}")
    return text


def check_pack(text: str, subject: object) -> str:
    """`text` if it is one of PACKS. Raises QnnError, about `subject`, for anything else."""
    if text not in PACKS:
        raise QnnError(subject, f"{text[:80]!r} is no way to store weights", f"use {', '.join(PACKS)}")
    return text


def parse_weights(text: str) -> Weights:
    """The Weights in the text "ram", "auto,conv1=flash" or "conv1=ram" (the others stay in flash).

    Raises QnnError for anything else.
    """
    memory, layers = FLASH, dict[str, str]()
    for number, item in enumerate(word.strip() for word in text.split(",")):
        layer, equals, where = item.rpartition("=")
        if where not in MEMORIES or bool(equals) != bool(layer) or (not equals and number):
            remedy = f"write {', '.join(MEMORIES)}, then LAYER=MEMORY for single layers, with commas"
            raise QnnError(f"--weights {text[:80]}", f"{item[:80]!r} is no memory", remedy)
        if equals:
            layers[layer.strip()] = where
        else:
            memory = where
    return Weights(memory, tuple(layers.items()))
