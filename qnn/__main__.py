# SPDX-License-Identifier: MIT
"""`python -m qnn` is the same as `qnn`."""

from qnn.cli import main

main()
