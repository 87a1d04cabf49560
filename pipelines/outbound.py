"""The one road to the outside: whatever calls an address that a setting names goes through here.

An address is refused before anything is connected to: what is not https, what nobody configured,
what is written so that two readers see two hosts in it, and what leads into a private network. A
name is looked up once, all that it leads to is looked at, and the connection goes to what was
looked at: a name that leads elsewhere a moment later gains nothing. No redirect is followed, and no
proxy of the environment is asked.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from features.errors import OnjeError, SettingsError

# Of an answer no more is read than tells what went wrong.
ANSWER_MOST = 65_536
PORTS = {"https": 443, "http": 80}
LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-._")

Address = IPv4Address | IPv6Address
# (host, port) -> the addresses it leads to.
Resolve = Callable[[str, int], Sequence[str]]

# What `is_global` of some releases of Python lets pass, or what carries another address inside.
CLOSED = tuple(
    ip_network(one)
    for one in (
        "0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15",
        "240.0.0.0/4", "::/96", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20",
        "5f00::/16", "fec0::/10", "64:ff9b:1::/48", "::ffff:0:0:0/96",
    )
)  # fmt: skip
# IPv6 that carries IPv4: which bits from the right do.
CARRIERS = ((IPv6Network("64:ff9b::/96"), 0), (IPv6Network("2002::/16"), 80))


class Refused(OnjeError):
    """An address that nothing is sent to."""

    exit_code = SettingsError.exit_code


class Unreachable(OnjeError):
    """The other side did not answer, or not in time; trying again later may help."""


@dataclass(frozen=True)
class Answer:
    """What the other side said. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Target:
    """An address, taken apart and found fit to be looked up."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def netloc(self) -> str:
        """As the header Host has it."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return shown if self.port == PORTS[self.scheme] else f"{shown}:{self.port}"


def looked_up(host: str, port: int) -> Sequence[str]:
    """What the system's resolver says."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(one[4][0]) for one in found]


@dataclass(frozen=True)
class Road:
    """The hosts that may be called. `own` are those of one's own network, by name or name:port.

    Those may be private and plain http; nothing is link-local, multicast or unspecified.
    """

    hosts: Collection[str]
    own: Collection[str]
    resolve: Resolve = looked_up
    trust: Callable[[], ssl.SSLContext] = ssl.create_default_context

    def target(self, url: str) -> Target:
        """The address taken apart; Refused says what is wrong with it."""
        target = target_of(url)
        is_own = self._is_own(target)
        if target.scheme != "https" and not is_own:
            raise Refused(
                f"{target.host}: only https leaves; write https://, or name a host of your own "
                "network in `allow` of [outbound]"
            )
        if target.host not in self.hosts:
            raise Refused(f"{target.host} stands in no setting, so nothing is sent there")
        if _is_address(target.host):
            self._look_at([target.host], target)
        return target

    def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float
    ) -> Answer:
        """The answer to one POST; Refused where nothing was sent, Unreachable where none came."""
        return self.request("POST", url, body, headers, timeout_s=timeout_s)

    def request(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        *,
        timeout_s: float,
    ) -> Answer:
        """The same by any method. A redirect is an answer like any other."""
        target = self.target(url)
        addresses = self._addresses(target)
        # Before anything is connected to: reading what is trusted may fail.
        context = self.trust() if target.scheme == "https" else None
        connection = _Pinned(target, addresses, context, timeout_s)
        # A side that sends a letter now and then must not hold this for ever.
        watchdog = threading.Timer(timeout_s, connection.abort)
        watchdog.daemon = True
        watchdog.start()
        try:
            connection.putrequest(method, target.path, skip_host=True, skip_accept_encoding=True)
            told = {"Host": target.netloc, "Accept-Encoding": "identity", "Connection": "close"}
            told |= dict(headers)
            if body is not None:
                told["Content-Length"] = str(len(body))
            for name, value in told.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            said = connection.getresponse()
            text = said.read(ANSWER_MOST)
            names = {name.lower(): value for name, value in said.getheaders()}
            return Answer(said.status, names, text)
        except (OSError, http.client.HTTPException) as problem:
            is_late = connection.is_aborted or isinstance(problem, TimeoutError)
            what = f"no answer within {timeout_s:g} s" if is_late else _said(problem)
            raise Unreachable(f"{target.host}: {what}") from None
        finally:
            watchdog.cancel()
            connection.close()

    def _is_own(self, target: Target) -> bool:
        return target.host in self.own or f"{target.host}:{target.port}" in self.own

    def _addresses(self, target: Target) -> list[Address]:
        """Where the host is, all of it looked at: one bad address spoils the rest."""
        if _is_address(target.host):
            return self._look_at([target.host], target)
        try:
            found = self.resolve(target.host, target.port)
        except (OSError, UnicodeError) as problem:
            why = _said(problem)
            raise Unreachable(f"{target.host} cannot be looked up: {why}") from None
        if not found:
            raise Unreachable(f"{target.host} leads nowhere")
        return self._look_at(found, target)

    def _look_at(self, found: Sequence[str], target: Target) -> list[Address]:
        addresses = []
        for text in found:
            closed = why_closed(text, is_own=self._is_own(target))
            if closed:
                raise Refused(f"{target.host} leads to {text}, which is {closed}")
            addresses.append(ip_address(text))
        return addresses


def target_of(url: str) -> Target:
    """An address taken apart in the one way it can be read; Refused where there are two."""
    # What parsers drop or turn around before they look: each of these has been an attack.
    if not url.isascii() or not url.isprintable() or set(url) & set(' \\"<>^`{|}'):
        raise Refused("an address is of plain ASCII letters, without spaces and backslashes")
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not url[len(parts.scheme) :].startswith("://"):
        raise Refused("an address begins with https://")
    if "@" in parts.netloc:
        raise Refused("an address holds no name or password; put secrets into the environment")
    if parts.fragment or "#" in url:
        raise Refused("an address that is called has no part after #")
    try:
        port = parts.port
    except ValueError:
        raise Refused("the port is a number from 1 to 65535") from None
    if port == 0:
        raise Refused("the port is a number from 1 to 65535")
    host = (parts.hostname or "").lower()
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    bracketed = parts.netloc.startswith("[")
    return Target(parts.scheme, _host(host, bracketed), port or PORTS[parts.scheme], path)


def _host(host: str, bracketed: bool) -> str:
    if bracketed:
        try:
            address = IPv6Address(host)
        except ValueError:
            raise Refused(f"[{host}] is no IPv6 address") from None
        if address.scope_id:
            raise Refused("an address names no interface of this machine")
        return str(address)
    if not host or set(host) - LETTERS or host.startswith(".") or ".." in host:
        raise Refused(f"{host!r} is no name of a host")
    host = host.removesuffix(".")
    last = host.rpartition(".")[2]
    if last.isdigit() or last.startswith("0x"):
        # 2130706433, 0177.0.0.1, 0x7f.1 and 127.1 are 127.0.0.1 to some and a name to others.
        try:
            return str(IPv4Address(host))
        except ValueError:
            raise Refused(f"{host} is an address in a form that is not read here") from None
    return host


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def why_closed(text: str, *, is_own: bool) -> str | None:
    """What kind of network this address is of, None where it may be called."""
    if "%" in text:
        return "of one interface of this machine"
    address = ip_address(text)
    inner = _carried(address)
    if inner is not None:
        within = why_closed(str(inner), is_own=is_own)
        return within and f"{inner} inside, {within}"
    for kind, holds in (
        ("link-local", address.is_link_local),
        ("multicast", address.is_multicast),
        ("unspecified", address.is_unspecified),
    ):
        if holds:
            return kind
    if is_own:
        return None
    if address.is_loopback:
        return "loopback"
    if address.is_private or not address.is_global or address.is_reserved:
        return "private or reserved"
    if any(address.version == one.version and address in one for one in CLOSED):
        return "private or reserved"
    return None


def _carried(address: Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one stands for."""
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    for network, shift in CARRIERS:
        if address in network:
            return IPv4Address((int(address) >> shift) & 0xFFFFFFFF)
    return None


class _Pinned(http.client.HTTPConnection):
    """A connection to addresses that were looked at, under the name that they were found by."""

    def __init__(
        self,
        target: Target,
        addresses: Sequence[Address],
        context: ssl.SSLContext | None,
        timeout_s: float,
    ) -> None:
        super().__init__(target.host, target.port, timeout=timeout_s)
        self._target, self._found, self._context = target, addresses, context
        self.is_aborted = False

    def connect(self) -> None:
        problem: OSError = OSError("no address")
        for address in self._found:
            try:
                place = (str(address), self._target.port)
                plain = socket.create_connection(place, timeout=self.timeout)
            except OSError as fault:
                problem = fault
                continue
            self.sock = plain
            if self.is_aborted:
                plain.close()
                raise TimeoutError
            if self._context is not None:
                # Known to the watchdog before the first letter of the handshake is waited for.
                self.sock = self._context.wrap_socket(
                    plain, server_hostname=self._target.host, do_handshake_on_connect=False
                )
                self.sock.do_handshake()
            return
        raise problem

    def abort(self) -> None:
        """Called by the watchdog: whatever is waited for ends now."""
        self.is_aborted = True
        taken = self.sock
        if taken is not None:
            with suppress(OSError):
                socket.socket.shutdown(taken, socket.SHUT_RDWR)


def _said(problem: BaseException) -> str:
    """Without an address or a body in it: this is logged and shown."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        return problem.verify_message
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    return type(problem).__name__
