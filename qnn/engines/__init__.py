# SPDX-License-Identifier: MIT
"""Where the emitted C runs: this machine, an emulated RV32IMC core, a second emulator."""
