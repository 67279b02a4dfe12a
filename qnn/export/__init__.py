# SPDX-License-Identifier: MIT
"""A build as a library in the layout of other ecosystems, each with an example that runs it."""
