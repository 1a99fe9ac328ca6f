"""Telemetry as an extension like any other; importing this module registers it."""

from __future__ import annotations

from funcscope.extensions import AppExtension, Invocation, Step
from funcscope.telemetry._recorder import Recorder

recorder = Recorder()
"""What records the invocations of this process."""


class TelemetryExtension(AppExtension):
    """Records every invocation of the app."""

    @classmethod
    def post_function_load_app_level(
        cls,
        function_name: str,  # noqa: ARG003  (Microsoft's signature)
        function_directory: str,
        *_args: object,
        **_kwargs: object,
    ) -> None:
        """Make ready when the app starts, not when it is called."""
        recorder.prepare(function_directory)

    @classmethod
    def around_invocation(cls, invocation: Invocation) -> Step:
        """Record one invocation."""
        return recorder.around(invocation)
