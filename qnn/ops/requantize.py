# SPDX-License-Identifier: MIT
"""The parameters of c_runtime/qnn_requantize.h (SPEC 3)."""

from __future__ import annotations

import numpy as np

from qnn.fixedpoint import Requantization
from qnn.ops.ckernel import TABLES, CArray, CField, CStruct


def requantize_struct(requantization: Requantization, channels: int) -> CStruct:
    """The qnn_requantize_t of `requantization`, one entry per channel; prescale is null where none is needed."""

    def spread(ctype: str, values: np.ndarray) -> CArray:
        return CArray(ctype, np.broadcast_to(values, (channels,)), TABLES)

    prescale = spread("uint8_t", requantization.prescale) if np.any(requantization.prescale) else None
    return CStruct(
        (
            CField("multiplier", spread("int32_t", requantization.multiplier)),
            CField("constant", spread("int32_t", requantization.constant)),
            CField("shift", spread("uint8_t", requantization.shift)),
            CField("prescale", prescale),
            CField("low", requantization.low),
            CField("high", requantization.high),
        )
    )
