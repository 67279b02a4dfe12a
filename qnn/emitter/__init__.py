# SPDX-License-Identifier: MIT
"""From the integer graph to C: nothing but the graph is read, so C and simulator cannot drift apart."""
