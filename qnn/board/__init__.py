# SPDX-License-Identifier: MIT
"""The board: firmware images, the serial protocol, flashing, and a virtual board that runs the same image."""
