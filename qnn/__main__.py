# SPDX-License-Identifier: MIT
"""The program qnn, also as `python -m qnn`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; Ctrl-C is one line already while the imports, which take a moment, are running."""
    try:
        from qnn.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("qnn: stopped\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
