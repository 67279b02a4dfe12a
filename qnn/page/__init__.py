# SPDX-License-Identifier: MIT
"""One self-contained page in which a model's own C code, as WebAssembly, answers what people draw or set."""
