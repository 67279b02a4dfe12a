# SPDX-License-Identifier: MIT
"""Who may see the page and talk to the board: programs of this machine, or whoever has the token of a shared page."""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
import socket
from dataclasses import dataclass

from qnn.errors import QnnError

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
TOKEN_BYTES = 12
HOST = re.compile(r"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?")
SOCKET_NAME = "board"
NOWHERE = ("192.0.2.1", 9)  # an address of no machine (RFC 5737); nothing is sent to it


@dataclass(frozen=True)
class Access:
    """The rules. port: of the server. token: the first part of every path, "" on the loopback interface."""

    port: int
    token: str = ""

    @property
    def path(self) -> str:
        """The page's path."""
        return f"/{self.token}/" if self.token else "/"

    def is_page(self, path: str) -> bool:
        """Is `path` the page's?"""
        return hmac.compare_digest(path.encode(), self.path.encode())

    def is_socket(self, path: str) -> bool:
        """Is `path` the WebSocket's?"""
        return hmac.compare_digest(path.encode(), f"{self.path}{SOCKET_NAME}".encode())

    def admits_host(self, host: str) -> bool:
        """May a request name this Host? Without a token only names of this machine, so that no other site's name leads
        here (DNS rebinding)."""
        if not HOST.fullmatch(host):
            return False
        return bool(self.token) or host in {f"{name}:{self.port}" for name in LOOPBACK}

    def admits_origin(self, origin: str | None, host: str) -> bool:
        """May a page of this Origin open the WebSocket? Only the one that was served here."""
        return origin == f"http://{host}"


def is_loopback(host: str) -> bool:
    """Is it an address of this machine alone? Raises QnnError if it is no address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        raise QnnError("--host", f"{host!r} is no address", "use 127.0.0.1, or 0.0.0.0 to share the page") from None


def new_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def reachable_host(host: str) -> str:
    """The host to put into an address for other machines: `host`, or where it stands for all, this machine's."""
    address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    if address.is_unspecified:
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(NOWHERE if address.version == 4 else ("2001:db8::1", 9))
                address = ipaddress.ip_address(probe.getsockname()[0])
            except OSError:
                return socket.gethostname()
    return f"[{address}]" if address.version == 6 else str(address)
