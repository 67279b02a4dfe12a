# SPDX-License-Identifier: MIT
"""Names that go into C: the model's prefix, node names, and text inside comments."""

from __future__ import annotations

import re

from qnn.errors import QnnError

MAX_NAME = 48
IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
KEYWORDS = frozenset(
    """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl const constexpr const_cast
    continue decltype default delete do double dynamic_cast else enum explicit export extern false float for friend
    goto if inline int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected
    public register reinterpret_cast restrict return short signed sizeof static static_assert static_cast struct
    switch template this thread_local throw true try typedef typeid typename union unsigned using virtual void
    volatile wchar_t while xor xor_eq
    """.split()
)
# NAME.h in a folder on the include path would stand in for <NAME.h>. Compared without case, as some file systems do.
SYSTEM_HEADERS = frozenset(
    """
    alloca assert complex cpio ctype dirent dlfcn elf endian errno fcntl features fenv float fmtmsg fnmatch ftw getopt
    glob grp iconv ifaddrs inttypes iso646 langinfo libgen limits link locale malloc math memory monetary mqueue ndbm
    netdb newlib nl_types poll pthread pwd regex reent sched search semaphore setjmp signal spawn stdalign stdarg
    stdatomic stdbit stdbool stdckdint stddef stdint stdio stdlib stdnoreturn string strings stropts sysexits syslog tar
    termios tgmath threads time trace uchar ucontext unistd utime utmpx values varargs wait wchar wctype windows
    wordexp
    """.split()
)


def check_name(name: str) -> str:
    """`name` itself. Raises QnnError unless it can prefix C and C++ identifiers."""
    if not IDENTIFIER.match(name) or len(name) > MAX_NAME:
        remedy = f"use a letter, then letters, digits or _, at most {MAX_NAME}"
        raise QnnError(f"--name {name}", "is not a C identifier", remedy)
    if name in KEYWORDS:
        raise QnnError(f"--name {name}", "is a keyword of C or C++", f"try {name}_net")
    if name.lower() in SYSTEM_HEADERS:
        raise QnnError(f"--name {name}", f"would make a {name}.h that hides the system's", f"try {name}_net")
    return name


def name_from(text: str) -> str:
    """A valid name made from a file's stem: other characters become _; what C or the system has taken gets a prefix."""
    name = re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_")[: MAX_NAME - 4]
    if not name or not IDENTIFIER.match(name) or name in KEYWORDS or name.lower() in SYSTEM_HEADERS:
        name = f"net_{name}" if name else "net"
    return name


def comment_text(text: str) -> str:
    """`text` as it may stand inside a C comment: ASCII, one line, without comment marks or trigraphs."""
    escaped = text.encode("unicode_escape").decode("ascii")
    return re.sub(r"\?(?=\?)", "? ", escaped.replace("*/", "* /").replace("/*", "/ *"))
