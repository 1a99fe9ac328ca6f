"""TLS contexts of a server's certificates, made again when the files change."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from funcscope.telemetry._config.otlp_target import Origin


class TlsContexts:
    """
    Makes the TLS context of a server: whom it trusts, and what it shows.

    Certificates are renewed while a process runs: by writing the files, or by swapping a symbolic
    link above them, as Kubernetes does for its secrets. Files that do not go together, as while
    they are written, are an error, never a context that lacks one of them.

    Args:
        origin: The server, and the files for it.
    """

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._context: ssl.SSLContext | None = None
        self._state: tuple[object, ...] = ()

    def have_changed(self) -> bool:
        """Tell whether a file is another than the context was made of."""
        return self._state != self._look()

    def get(self) -> ssl.SSLContext:
        """
        Return the context of the files as they are.

        Raises:
            OSError: A file cannot be used.
        """
        state = self._look()  # before they are read: what changes meanwhile is read again
        if self._context is None or self._state != state:
            self._context = None
            self._context, self._state = self._make(), state
        return self._context

    def without_client(self) -> ssl.SSLContext:
        """Return a context that trusts the same, and shows nothing: for a proxy."""
        return _trusting(self._origin.certificate)

    def _look(self) -> tuple[object, ...]:
        origin = self._origin
        files = (origin.certificate, origin.client_certificate, origin.client_key)
        return tuple(_identity(file) for file in files if file)

    def _make(self) -> ssl.SSLContext:
        context, certificate = _trusting(self._origin.certificate), self._origin.client_certificate
        if certificate:
            try:  # a password is never asked for: OpenSSL would wait for it at the terminal
                context.load_cert_chain(
                    certificate, self._origin.client_key or None, password=lambda: ""
                )
            except OSError as error:
                text = f"client certificate {certificate!r} cannot be used: {error}"
                raise OSError(text) from error
        return context


def _trusting(authorities: str) -> ssl.SSLContext:
    is_folder = bool(authorities) and Path(authorities).is_dir()
    try:
        return ssl.create_default_context(
            cafile=authorities if authorities and not is_folder else None,
            capath=authorities if is_folder else None,
        )
    except OSError as error:
        raise OSError(f"authorities {authorities!r} cannot be used: {error}") from error


def _identity(file: str) -> object:
    try:
        found = Path(file).stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
