# SPDX-License-Identifier: MIT
"""How many threads matrix products use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

WORTH_THREADS = 1 << 26  # multiplications in one product


@contextmanager
def blas_threads(multiplications: int) -> Iterator[None]:
    """Inside, numpy's matrix products use one thread unless the largest has WORTH_THREADS multiplications or more.

    The threads of small products win little on an idle machine, and on a busy one they wait for each other: training
    784-64-10 takes ten times as long beside two other processes. One thread also always sums in the same order.
    """
    if multiplications >= WORTH_THREADS:
        yield
        return
    with threadpool_limits(limits=1, user_api="blas"):
        yield
