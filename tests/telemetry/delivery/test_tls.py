"""Certificates that change while a process runs."""

from __future__ import annotations

import shutil
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from cryptography.hazmat.primitives import serialization
from tests.patience import PATIENCE_S
from tests.telemetry.delivery.peers import Authority

from funcscope.telemetry._http.connection import Connection
from funcscope.telemetry._http.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.telemetry.delivery.conftest import Collector

    from funcscope.telemetry._config.otlp_target import Origin


class Site(NamedTuple):
    """A collector that wants to know who we are, and the folder with what we show it."""

    authority: Authority
    connection: Connection
    folder: Path
    shown: list[str]

    def post(self) -> int:
        """Post a body, and return the status."""
        return self.connection.post("/", (), b"body", Deadline.within(PATIENCE_S)).status

    def renew(self, name: str, folder: Path | None = None) -> None:
        """Write another certificate and its key, with another name."""
        for source, target in zip(self.authority.issue(name), ("tls.crt", "tls.key"), strict=True):
            shutil.copy(source, (folder or self.folder) / target)


@pytest.fixture
def site(collector: Collector, tmp_path: Path) -> Iterator[Site]:
    """Give a site whose certificate is in order."""
    authority, shown = Authority(tmp_path), list[str]()
    context = authority.server(wants=True)

    def wrap(sock: object) -> ssl.SSLSocket:
        secured = context.wrap_socket(sock, server_side=True)  # type: ignore[arg-type]  # a socket
        subject = dict(pair for (pair,) in (secured.getpeercert() or {})["subject"])  # type: ignore[misc, str-unpack]  # typeshed allows other things
        shown.append(subject["commonName"])
        return secured

    collector.wrap = wrap
    folder = tmp_path / "secret"
    folder.mkdir()
    site = Site(authority, Connection(origin_of(collector, authority, folder)), folder, shown)
    site.renew("first")
    yield site
    site.connection.close()


def origin_of(collector: Collector, authority: Authority, folder: Path) -> Origin:
    """Return the collector, with files to show it."""
    return collector.target().origin._replace(
        scheme="https",
        host="localhost",
        certificate=authority.file,
        client_certificate=str(folder / "tls.crt"),
        client_key=str(folder / "tls.key"),
    )


def rewrite(site: Site) -> None:
    """Renew by writing both files."""
    site.renew("second")


def swap_a_link(site: Site) -> None:
    """Renew as Kubernetes does: the files are links through a link that is moved."""
    new = site.folder / "..2026"
    new.mkdir()
    site.renew("second", new)
    for name in ("tls.crt", "tls.key"):
        link = site.folder / f"{name}.new"
        link.symlink_to(Path("..data") / name)
        (site.folder / "..data").unlink(missing_ok=True)
        (site.folder / "..data").symlink_to("..2026")
        link.replace(site.folder / name)


@pytest.mark.parametrize("renew", [rewrite, swap_a_link])
def test_renewal(site: Site, renew: Callable[[Site], None]) -> None:
    """What was renewed is shown from the next request on, on a new connection."""
    assert [site.post(), site.post()] == [200, 200]
    renew(site)
    assert [site.post(), site.post()] == [200, 200]

    assert site.shown == ["first", "second"]


def test_renewal_of_what_expired(site: Site) -> None:
    """A certificate that has expired costs requests until it is renewed, and no longer."""
    for source, name in zip(
        site.authority.issue("old", days=-1), ("tls.crt", "tls.key"), strict=True
    ):
        shutil.copy(source, site.folder / name)
    with pytest.raises(OSError, match=r"expired|reset|broke|EOF"):
        site.post()
    site.renew("second")

    assert site.post() == 200
    assert site.shown == ["second"]


@pytest.mark.parametrize("half", ["no key", "half a key", "another's key", "no certificate"])
def test_half_written(site: Site, half: str) -> None:
    """Files that do not go together cost a request, which is never sent without a certificate."""
    key = (site.folder / "tls.key").read_bytes()
    wrong = {
        "no key": ("tls.key", b""),
        "half a key": ("tls.key", key[: len(key) // 2]),
        "another's key": ("tls.key", Path(site.authority.issue("other")[1]).read_bytes()),
        "no certificate": ("tls.crt", b""),
    }
    name, data = wrong[half]
    right = (site.folder / name).read_bytes()
    (site.folder / name).write_bytes(data)
    deadline = Deadline.within(PATIENCE_S)
    for _ in range(2):
        with pytest.raises(OSError, match=r"client certificate .*tls.crt' cannot be used"):
            site.connection.post("/", (), b"body", deadline)
    (site.folder / name).write_bytes(right)

    assert site.post() == 200
    assert site.shown == ["first"]


def test_authorities_are_read_again(site: Site, collector: Collector, tmp_path: Path) -> None:
    """A server that another authority vouches for is trusted once the file says so."""
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    context = other.server()
    collector.wrap = lambda sock: context.wrap_socket(sock, server_side=True)
    with pytest.raises(ssl.SSLCertVerificationError):
        site.post()
    shutil.copy(other.file, site.authority.file)

    assert site.post() == 200


def test_authorities_that_cannot_be_read(site: Site) -> None:
    """An empty bundle is an error that names it."""
    Path(site.authority.file).write_bytes(b"")

    with pytest.raises(OSError, match=r"authorities .*authority.pem' cannot be used"):
        site.post()


def test_key_with_a_password(site: Site) -> None:
    """Nobody is asked for a key's password: it is an error."""
    file = site.folder / "tls.key"
    key = serialization.load_pem_private_key(file.read_bytes(), None)
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"hush"),
        )
    )

    with pytest.raises(OSError, match="cannot be used"):
        site.post()
