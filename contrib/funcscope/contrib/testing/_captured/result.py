"""The result of one invocation, with the telemetry that belongs to it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from funcscope.contrib.testing._captured.captured import Logs, Spans
from funcscope.contrib.testing._captured.trees import span_id_of
from funcscope.telemetry.integration import INVOCATION_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azure.functions import HttpResponse
    from opentelemetry.sdk.trace import ReadableSpan


@dataclass(frozen=True, slots=True)
class Result:
    """
    The result of one invocation: a value or an error, outputs and telemetry.

    Attributes:
        value: The function's return value.
        error: The function's exception, seen here with `check=False` alone; None without one.
        outputs: The values of its output bindings, by their names.
        invocation_id: The host's id of it.
        trace_id: The host's trace, in 32 hex digits; empty where the host sent none.
        all_spans: The test's spans.
        all_logs: The test's log records.
    """

    value: Any
    error: BaseException | None
    outputs: Mapping[str, Any]
    invocation_id: str
    trace_id: str
    all_spans: Spans
    all_logs: Logs

    @property
    def response(self) -> HttpResponse:
        """
        The response that an HTTP function's caller gets.

        Raises:
            AssertionError: The function answered with nothing that is a response.
        """
        from azure.functions import HttpResponse

        answers = [self.value, *self.outputs.values()]
        response = next((a for a in answers if isinstance(a, HttpResponse)), None)
        if response is not None:
            return response
        if isinstance(self.value, (str, bytes)):
            return HttpResponse(self.value)
        if type(self.value) in (dict, list):
            return HttpResponse(json.dumps(self.value), mimetype="application/json")
        raise AssertionError(f"the function answered with no response but {self.value!r}")

    @property
    def span(self) -> ReadableSpan:
        """
        The invocation's own span.

        Raises:
            AssertionError: It has none, as where the app does not import `funcscope.auto`; or
                more than one. It shows what there is.
        """
        own = [s for s in self.all_spans if self._names(s.attributes)]
        if len(own) != 1:
            raise AssertionError(
                f"{len(own)} spans of the invocation; recorded:\n{self.all_spans}\n"
                "(does the app import funcscope.auto?)"
            )
        return own[0]

    @property
    def spans(self) -> Spans:
        """The invocation's span and those below it."""
        return Spans(self._own_spans, lambda: self.logs)

    @property
    def logs(self) -> Logs:
        """The invocation's log records."""
        return Logs(lambda: [log for log in self.all_logs if self._names(log.attributes)])

    def _own_spans(self) -> list[ReadableSpan]:
        everything = list(self.all_spans)
        own = {span_id_of(s) for s in everything if self._names(s.attributes)}
        count = -1
        while count != len(own):
            count = len(own)
            own |= {span_id_of(s) for s in everything if s.parent and s.parent.span_id in own}
        return [s for s in everything if span_id_of(s) in own]

    def _names(self, attributes: Mapping[str, Any] | None) -> bool:
        return (attributes or {}).get(INVOCATION_ID) == self.invocation_id
