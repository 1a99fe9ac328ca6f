"""Record the headers that the settings name: semantic conventions 1.44, HTTP. Never a body."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from funcscope.telemetry._redaction.redactor import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from funcscope.telemetry._redaction.redactor import Redactor


class Headers(NamedTuple):
    """
    Which headers are recorded, and how.

    Attributes:
        request: Names of request headers, in lower case.
        response: Names of response headers, in lower case.
        redactor: Takes secrets out of them.
    """

    request: tuple[str, ...] = ()
    response: tuple[str, ...] = ()
    redactor: Redactor = DEFAULT

    def of_request(
        self, headers: Mapping[str, str] | Iterable[tuple[str, str]]
    ) -> dict[str, tuple[str, ...]]:
        """
        Return `http.request.header.<name>` for the headers that are named and there, redacted.

        Args:
            headers: By name or in pairs; names in any case. One that is a secret goes whole, of
                others what their text holds.
        """
        return _header_attributes("http.request.header.", headers, self.request, self.redactor)

    def of_response(
        self, headers: Mapping[str, str] | Iterable[tuple[str, str]]
    ) -> dict[str, tuple[str, ...]]:
        """Return `http.response.header.<name>`, as `of_request` does."""
        return _header_attributes("http.response.header.", headers, self.response, self.redactor)


NO_HEADERS = Headers()


def _header_attributes(
    prefix: str,
    headers: Mapping[str, str] | Iterable[tuple[str, str]],
    names: tuple[str, ...],
    redactor: Redactor,
) -> dict[str, tuple[str, ...]]:
    if not names:
        return {}
    found: dict[str, list[str]] = {}
    for name, value in _pairs(headers):
        key = name.lower()
        if key in names:
            found.setdefault(key, []).append(str(redactor.redact_value(key, str(value))))
    return {prefix + key: tuple(found[key]) for key in names if key in found}


def _pairs(
    headers: Mapping[str, str] | Iterable[tuple[str, str]],
) -> Iterable[tuple[str, str]]:
    """List headers; azure.functions' and werkzeug's are mappings by what they do only."""
    items = cast("Callable[[], Iterable[tuple[str, str]]] | None", getattr(headers, "items", None))
    return cast("Iterable[tuple[str, str]]", headers) if items is None else items()
