# SPDX-License-Identifier: MIT
"""How many RV32 instructions an inference takes, predicted from the kernels' loops and a measured table."""

from qnn.instructions import convolutions, dense, elements, tight

__all__ = ["convolutions", "dense", "elements", "tight"]
