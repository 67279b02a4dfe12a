# SPDX-License-Identifier: MIT
"""The widths of a network's layers, by what --bits and --weight-bits say."""

from __future__ import annotations

from qnn.errors import QnnError
from qnn.learned import learned_of
from qnn.model import Model
from qnn.prepare import weighted_layers
from qnn.widths import MIXED, TRAINED, Widths, widths_named, with_weight_bits


def layer_widths(network: Model, bits: str, weight_bits: str | None = None, subject: str = "the model") -> Widths:
    """The Widths of `network` that --bits, which does not say mixed, and --weight-bits name.

    subject: what errors call the network. Raises QnnError where the two contradict each other, for layers that it has
    not, and where it was not trained for the widths that --bits trained asks for.
    """
    if weight_bits is not None:
        check_apart(bits)
        return with_weight_bits(widths_named(bits), weight_bits, weighted_layers(network))
    return learned_of(network.learned, subject).widths if bits == TRAINED else widths_named(bits)


def takes_weight_bits(bits: str) -> bool:
    """Does --bits leave the weights to --weight-bits?"""
    return bits not in (MIXED, TRAINED) and not bits.startswith("w")


def check_apart(bits: str) -> None:
    """Raises QnnError where --bits says what --weight-bits says."""
    if takes_weight_bits(bits):
        return
    if bits in (MIXED, TRAINED):
        problem = "chooses" if bits == MIXED else "has in the model"
        raise QnnError("--weight-bits", f"says what --bits {bits} {problem}", "leave one of them out")
    raise QnnError("--weight-bits", f"says what --bits {bits} says as well", "leave one out, or say --bits 8")
