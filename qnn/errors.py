# SPDX-License-Identifier: MIT
"""The one error that qnn raises for bad input: what, the problem, the remedy."""

from __future__ import annotations


class QnnError(Exception):
    """Bad input or an impossible request, told in one line.

    `subject` is the file, node, column or option concerned, `problem` what is wrong with it,
    `remedy` what the user can do. The command line prints ``subject: problem; remedy`` and exits 2.
    """

    def __init__(self, subject: object, problem: str, remedy: str = "") -> None:
        self.subject = one_line(str(subject))
        self.problem = one_line(problem)
        self.remedy = one_line(remedy)
        text = f"{self.subject}: {self.problem}"
        super().__init__(f"{text}; {self.remedy}" if self.remedy else text)


def one_line(text: str) -> str:
    """`text` with every control character and line break made visible, so that an error stays one line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
