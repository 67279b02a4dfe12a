# SPDX-License-Identifier: MIT
"""Accuracy versus size: each width compiled, scored, measured and verified; as a table, JSON, CSV and a page."""
