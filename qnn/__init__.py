# SPDX-License-Identifier: MIT
"""qnn: a fixed-point quantizing compiler for neural networks."""
