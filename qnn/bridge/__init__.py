# SPDX-License-Identifier: MIT
"""qnn serve: the page over HTTP, and a WebSocket behind which a board, real or virtual, computes along."""
