"""The end of an invocation: measured, and decided on."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from opentelemetry.trace import INVALID_SPAN

from funcscope.telemetry._recording.deferred_end import finish

if TYPE_CHECKING:
    from collections.abc import Callable

    from funcscope.extensions import Invocation

MEASUREMENT = cast("Any", object())


class Parts:
    """Stands for what has started, notes what it is asked for, and fails with what it is given."""

    def __init__(self, measuring: BaseException | None, deciding: BaseException | None) -> None:
        self.asked: list[str] = []
        self.metrics = SimpleNamespace(end=self.part("measured", measuring))
        self.decide = self.part("decided", deciding)
        self.awaits_outcome = True

    def part(self, name: str, error: BaseException | None) -> Callable[..., None]:
        """Make one that notes its name, and raises an error if there is one."""

        def ask(*_: object, **__: object) -> None:
            self.asked.append(name)
            if error is not None:
                raise error

        return ask


@pytest.mark.parametrize(
    ("measuring", "deciding", "raised"),
    [
        (None, None, None),
        (ValueError("first"), None, ValueError),
        (ValueError("first"), KeyError("second"), ValueError),
        (ValueError("first"), KeyboardInterrupt(), KeyboardInterrupt),
        (KeyboardInterrupt(), KeyError("second"), KeyboardInterrupt),
    ],
)
def test_decision_does_not_depend_on_the_measurement(
    invocation: Callable[..., Invocation],
    measuring: BaseException | None,
    deciding: BaseException | None,
    raised: type[BaseException] | None,
) -> None:
    """Whatever fails in measuring, it is decided; the first error is raised, or an interrupt."""
    parts = Parts(measuring, deciding)

    def end() -> None:
        finish(cast("Any", parts), invocation(), INVALID_SPAN, MEASUREMENT, {}, None, 0.0)

    if raised is None:
        end()
    else:
        with pytest.raises(raised):
            end()
    assert parts.asked == ["measured", "decided"]


def test_nothing_is_asked_of_what_is_off(invocation: Callable[..., Invocation]) -> None:
    """Without a measurement and without a decision to come, nothing is called."""
    parts = Parts(None, None)
    parts.awaits_outcome = False
    finish(cast("Any", parts), invocation(), INVALID_SPAN, None, {}, None, 0.0)

    assert parts.asked == []
