"""Proxies that carry bytes, and certificates: what stands between an exporter and a collector."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.patience import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Address = tuple[str, int]

ELSEWHERE = "far.example"
"""A name that proxies alone can look up."""


@dataclass
class Asked:
    """What a proxy was asked for."""

    what: str
    host: str
    user: str = ""
    password: str = ""


@dataclass
class Relay:
    """
    A proxy on loopback.

    Attributes:
        serve: Reads what a client asks for; returns where that is, and what to send there first.
        wrap: Made of each connection before that.
        asked: All that was asked for.
    """

    serve: Callable[[Relay, socket.socket], tuple[Address, bytes] | None]
    wrap: Callable[[socket.socket], socket.socket] = lambda sock: sock
    credentials: str = ""
    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    _sockets: list[socket.socket] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> int:
        """Listen, and return the port."""
        server = socket.create_server(("127.0.0.1", 0))
        self._sockets.append(server)
        self._spawn(self._accept, server)
        return int(server.getsockname()[1])

    def stop(self) -> None:
        """Drop all connections."""
        for sock in list(self._sockets):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in list(self._threads):
            thread.join(PATIENCE_S)

    def _spawn(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = server.accept()
                self._sockets.append(sock)
                self._spawn(self._carry, sock)

    def _carry(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            sock = self.wrap(sock)
            self._sockets.append(sock)
            found = self.serve(self, sock)
            if found is not None:
                (host, port), first = found
                host = "127.0.0.1" if host == ELSEWHERE else host
                upstream = socket.create_connection((host, port))
                self._sockets.append(upstream)
                upstream.sendall(first)
                self._spawn(self._pump, upstream, sock)
                self._pump(sock, upstream)
        sock.close()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(65536):
                sink.sendall(chunk)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class Head(NamedTuple):
    """The head of a request: its first line, the others, headers in lower case; what follows."""

    start: str
    lines: list[str]
    headers: dict[str, str]
    rest: bytes


def read_head(sock: socket.socket) -> Head | None:
    """Read the head of an HTTP request; nothing where the client has gone."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = sock.recv(65536)
        if not chunk:
            return None
        data += chunk
    head, _, rest = data.partition(b"\r\n\r\n")
    start, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    return Head(start, lines, headers, rest)


def serve_http(relay: Relay, sock: socket.socket) -> tuple[Address, bytes] | None:
    """Be an HTTP proxy: CONNECT, and the absolute form for one request of a connection."""
    head = read_head(sock)
    if head is None:
        return None
    start, lines, headers, rest = head
    method, url, version = start.split(" ")
    target = urlsplit(url if "://" in url else f"//{url}")
    credentials = headers.get("proxy-authorization", "")
    relay.asked.append(Asked(method, f"{target.hostname}:{target.port}", credentials))
    if relay.credentials != credentials:
        sock.sendall(b"HTTP/1.1 407 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        return None
    if method == "CONNECT":
        sock.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        return (target.hostname or "", target.port or 443), rest
    path = target.path + (f"?{target.query}" if target.query else "")
    kept = [line for line in lines if not line.lower().startswith("proxy-")]
    first = "\r\n".join([f"{method} {path} {version}", *kept]).encode("latin-1")
    return (target.hostname or "", target.port or 80), first + b"\r\n\r\n" + rest


def serve_socks(relay: Relay, sock: socket.socket) -> tuple[Address, bytes] | None:
    """Be a SOCKS proxy: 4, 4a (OpenSSH PROTOCOL.socks4a), 5 with users (RFC 1928, RFC 1929)."""
    read = sock.makefile("rb", buffering=0)

    def take(number: int) -> bytes:
        data = b""
        while len(data) < number:
            chunk = read.read(number - len(data))
            if not chunk:
                raise ConnectionError("the client has gone")
            data += chunk
        return data

    def until_zero() -> bytes:
        data = b""
        while not data.endswith(b"\0"):
            data += take(1)
        return data[:-1]

    if take(1) == b"\x04":
        take(1)
        port, address = int.from_bytes(take(2), "big"), take(4)
        user = until_zero().decode()
        is_named = address[:3] == b"\0\0\0"
        host = until_zero().decode() if is_named else socket.inet_ntoa(address)
        relay.asked.append(Asked("socks4a" if is_named else "socks4", host, user))
        sock.sendall(b"\0\x5a" + bytes(6))
        return (host, port), b""
    methods = take(take(1)[0])
    asked = Asked("socks5", "")
    if relay.credentials:
        sock.sendall(b"\x05\x02" if b"\x02" in methods else b"\x05\xff")
        take(1)
        asked.user, asked.password = take(take(1)[0]).decode(), take(take(1)[0]).decode()
        is_known = f"{asked.user}:{asked.password}" == relay.credentials
        sock.sendall(b"\x01\x00" if is_known else b"\x01\x01")
        if not is_known:
            relay.asked.append(asked)
            return None
    else:
        sock.sendall(b"\x05\x00")
    kind = take(4)[3]
    asked.host = take(take(1)[0]).decode() if kind == 3 else socket.inet_ntoa(take(4))
    port = int.from_bytes(take(2), "big")
    relay.asked.append(asked)
    sock.sendall(b"\x05\0\0\x01" + bytes(6))
    return (asked.host, port), b""


class Authority:
    """A certificate authority, which signs for a validity that a test chooses."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name(
            [x509.NameAttribute(NameOID.COMMON_NAME, f"Authority {folder.name}"[:64])]
        )
        builder = self._builder(self._name, self._key, 1).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        may = dict.fromkeys(
            ("digital_signature", "key_cert_sign", "crl_sign"), True
        ) | dict.fromkeys(
            (
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "encipher_only",
                "decipher_only",
            ),
            False,
        )
        builder = builder.add_extension(x509.KeyUsage(**may), critical=True)
        self.file = self._write("authority.pem", builder)

    def issue(self, name: str, *, days: int = 1) -> tuple[str, str]:
        """Write a certificate and its key; with days below 0 it has expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        addresses = [ipaddress.ip_address(text) for text in ("127.0.0.1", "::1")]
        names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.DNSName(ELSEWHERE)]
        names += [x509.IPAddress(address) for address in addresses]
        builder = self._builder(subject, key, days).add_extension(
            x509.SubjectAlternativeName(names), critical=False
        )
        key_file = self._folder / f"{name}.key"
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return self._write(f"{name}.pem", builder), str(key_file)

    def server(self, name: str = "server", *, days: int = 1, wants: bool = False) -> ssl.SSLContext:
        """Return a server's context, which may want to see a certificate of this authority."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.file)
        context.verify_mode = ssl.CERT_REQUIRED if wants else ssl.CERT_NONE
        context.load_cert_chain(*self.issue(name, days=days))
        return context

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
    ) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.timezone.utc)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=9))
            .not_valid_after(now + dt.timedelta(days=days))
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
        )

    def _write(self, name: str, builder: x509.CertificateBuilder) -> str:
        file = self._folder / name
        signed = builder.sign(self._key, hashes.SHA256())
        file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        return str(file)
