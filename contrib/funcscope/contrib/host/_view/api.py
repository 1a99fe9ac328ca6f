"""The page's ASGI application: its assets, and what it asks for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route as StarletteRoute

from funcscope.contrib.host._errors import HostError
from funcscope.contrib.host._view.filters import parse_filter
from funcscope.contrib.host._view.records import encode_json
from funcscope.contrib.host._view.server import LoopbackOnly

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from funcscope.contrib.host._view.live import TraceView

_STATIC = Path(__file__).parent / "static"
_MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_PAGES = ("/", "/functions", "/metrics", "/trace/{trace_id}")


class ViewApi:
    """
    Answers what the page asks.

    Args:
        view: What has been received.
        about: What the page says of where that comes from: `app`, `version`, `receiver`.
    """

    def __init__(self, view: TraceView, about: Mapping[str, str]) -> None:
        self._view = view
        self._about = dict(about)
        self._assets = {
            file.name: (file.read_bytes(), _MEDIA_TYPES[file.suffix])
            for file in _STATIC.iterdir()
            if file.suffix in _MEDIA_TYPES
        }

    def application(self) -> Starlette:
        """Return the ASGI application."""
        pages = [StarletteRoute(path, self._page, methods=["GET"]) for path in _PAGES]
        return Starlette(
            routes=[
                *pages,
                StarletteRoute("/static/{name}", self._asset, methods=["GET"]),
                StarletteRoute("/api/about", self._tell_about, methods=["GET"]),
                StarletteRoute("/api/invocations", self._list, methods=["GET"]),
                StarletteRoute("/api/traces/{trace_id}", self._trace, methods=["GET"]),
                StarletteRoute("/api/functions", self._functions, methods=["GET"]),
                StarletteRoute("/api/metrics", self._metrics, methods=["GET"]),
                StarletteRoute("/api/live", self._live, methods=["GET"]),
                # A DELETE of another site's page is asked for first, and never allowed.
                StarletteRoute("/api/traces", self._clear, methods=["DELETE"]),
            ],
            middleware=[Middleware(LoopbackOnly)],
            exception_handlers={HostError: _refuse},
        )

    # Not async: each may take a while, and runs on a thread of its own.

    def _page(self, _: Request) -> Response:
        return self._file("index.html")

    def _asset(self, request: Request) -> Response:
        return self._file(request.path_params["name"])

    def _tell_about(self, _: Request) -> Response:
        return _json(encode_json(self._about))

    def _list(self, request: Request) -> Response:
        changes = self._view.traces.changes(0, parse_filter(request.query_params))
        return _json(encode_json({"rows": changes.rows, "counts": changes.counts}))

    def _trace(self, request: Request) -> Response:
        trace_id = request.path_params["trace_id"]
        data = self._view.traces.trace(trace_id)
        if data is None:
            return PlainTextResponse(f"trace {trace_id!r} is not, or no longer, kept", 404)
        return _json(data)

    def _functions(self, _: Request) -> Response:
        return _json(encode_json(self._view.traces.summaries()))

    def _metrics(self, _: Request) -> Response:
        return _json(self._view.metrics.encode())

    def _clear(self, _: Request) -> Response:
        self._view.clear()
        return Response(status_code=204)

    async def _live(self, request: Request) -> Response:
        wanted = parse_filter(request.query_params)
        return StreamingResponse(self._view.stream(wanted), media_type="text/event-stream")

    def _file(self, name: str) -> Response:
        if name not in self._assets:
            return PlainTextResponse("there is no such file", 404)
        content, media_type = self._assets[name]
        return Response(content, media_type=media_type)


def _json(data: bytes) -> Response:
    return Response(data, media_type="application/json")


def _refuse(_: Request, error: Exception) -> Response:
    return PlainTextResponse(str(error), 400)
