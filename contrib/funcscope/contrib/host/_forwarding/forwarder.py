"""
What an app exports, handed on to the user's endpoints with the host's own spans.

docs/decisions/061 says why.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from funcscope.contrib.host._forwarding.destination import Destination
from funcscope.contrib.host._forwarding.host_spans import encode_roots

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from typing_extensions import Self

    from funcscope.contrib.host._traces.receiver import RawRequest
    from funcscope.contrib.host._traces.traces import Trace
    from funcscope.telemetry.integration import OtlpTarget

_PROTOBUF = (("content-type", "application/x-protobuf"),)


class Forwarder:
    """
    Hands on each received request of a signal that has an endpoint, as it was received.

    Args:
        targets: The endpoints, each of one signal.
        say: Called with each line for people, on any thread.
    """

    def __init__(self, targets: Iterable[OtlpTarget], say: Callable[[str], object]) -> None:
        self._say = say
        self._targets = list(targets)
        self._known: list[tuple[OtlpTarget, Destination]] = []
        self._destinations: dict[str, Destination] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Start sending."""
        self.redirect(self._targets)
        return self

    def redirect(self, targets: Iterable[OtlpTarget]) -> None:
        """Hand on to these endpoints from now on; the others get what waits for them."""
        self._destinations = {f"/v1/{target.signal}": self._find(target) for target in targets}

    def _find(self, target: OtlpTarget) -> Destination:
        for known, destination in self._known:
            if known == target:
                return destination
        destination = self._stack.enter_context(Destination(target, self._say))
        self._known.append((target, destination))
        return destination

    def __exit__(self, *_: object) -> None:
        """Send what waits, within a few seconds."""
        self._stack.close()

    def forward(self, request: RawRequest) -> None:
        """Hand on a request of the app's; this never waits."""
        destination = self._destinations.get(request.path)
        if destination is not None:
            destination.send(request.headers, request.body)

    def add_roots(self, trace: Trace) -> None:
        """Export the spans of a trace's requests, which its functions' spans are below."""
        destination = self._destinations.get("/v1/traces")
        if destination is None or trace.is_late or not trace.spans:
            return  # the app's sampler has left it out, or its spans were exported before
        body = encode_roots(trace)
        if body:
            destination.send(_PROTOBUF, body)
