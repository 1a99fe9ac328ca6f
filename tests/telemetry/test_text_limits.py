"""However large what an app has, what is exported of it keeps its limit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import azure.functions as func
import pytest

from funcscope.telemetry._redaction.redactor import make_redactor
from funcscope.telemetry._values.limits import MAX_ITEMS

if TYPE_CHECKING:
    from collections.abc import Callable

    from funcscope.contrib.testing import Logs, Result, Spans

LIMIT = 1000
MOST = 1100
"""What a text may grow to where secrets are replaced by more."""
APP = Path(__file__).parents[1] / "apps" / "v2_large"


def test_a_redactor_that_shortens() -> None:
    """A text that is too long is cut, whether it is text, a value, or in a list; others are not."""
    redactor = make_redactor((), 100)
    attributes = {
        "long": "x y " * 100,
        "url": "https://app.net/?code=a",
        "list": ["z " * 99],
        "n": 1,
    }

    assert len(redactor.redact("x y " * 100)) <= 100
    changed = redactor.redact_attributes(attributes) or {}
    assert {name for name, value in changed.items() if value != attributes[name]} == {
        "long",
        "url",
        "list",
    }
    assert all(len(str(value)) <= 120 for value in changed.values())
    assert redactor.redact_attributes({"short": "a", "n": 1}) is None
    assert redactor.redact("short") == "short"


def test_items_of_a_value_are_bounded() -> None:
    """Of a list or mapping the first items are kept, of all levels, and the others counted."""
    redactor = make_redactor((), 100)

    assert redactor.redact_texts(tuple(range(1_000_000))) == (
        *range(MAX_ITEMS), "… [999000 items left out]",
    )  # fmt: skip
    some = redactor.redact_value("m", {f"k{n}": n for n in range(MAX_ITEMS + 2)})
    assert isinstance(some, dict)
    assert some.pop("…") == "… [2 items left out]"
    assert some == {f"k{n}": n for n in range(MAX_ITEMS)}
    rows = make_redactor((), 10_000).redact_texts([["x"] * 400] * 5)
    assert isinstance(rows, tuple)
    assert rows[2:] == (("x",) * 197 + ("… [203 items left out]",), "… [2 items left out]")
    assert "… [9999990 items left out]" in str(redactor.redact_texts(["y" * 10] * 10_000_000))
    assert redactor.redact_attributes({"n": 1, "l": [1] * MAX_ITEMS, "m": {"a": ["x"]}}) is None


def test_secrets_are_taken_out_of_the_items_that_are_kept() -> None:
    """A secret's name decides over a large value, too, and what is kept of others is clean."""
    redactor = make_redactor((), 1000)

    assert redactor.redact_value("passwords", ["s3cret"] * 2000) == ("REDACTED",)
    assert "s3cret" not in str(redactor.redact_value("x", ["password=s3cret"] * 2000))


def test_bytes_are_cut() -> None:
    """Bytes that are too long keep their head, as texts do."""
    few = make_redactor((), 100).redact_texts(b"\xe9 " * 1000)

    assert isinstance(few, bytes)
    assert len(few) <= MOST
    assert few.startswith(b"\xe9 \xe9 ")
    assert few.endswith(b" characters left out]")


class Odd(dict[str, str]):
    """A mapping that cannot be walked."""

    def items(self) -> Any:
        """Fail."""
        raise ValueError("s3cret")


def test_a_value_that_cannot_be_walked() -> None:
    """What cannot be bounded is replaced whole."""
    assert make_redactor((), 100).redact_value("x", Odd()) == "REDACTED"


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUNCSCOPE_MAX_TEXT_LENGTH", str(LIMIT))


@pytest.mark.usefixtures("_small")
@pytest.mark.funcscope_app(str(APP))
def test_all_that_is_exported_is_bounded(
    invoke: Callable[..., Result], spans: Spans, logs: Logs
) -> None:
    """Attributes, names, events, status and log records are cut, and hold no secret."""
    with pytest.raises(ValueError, match="cannot store"):
        invoke("bad", func.HttpRequest("POST", "https://app.net/api/bad", body=b""))

    assert len(spans) >= 2
    for span in spans:
        assert len(span.name) <= MOST
        assert len(span.status.description or "") <= MOST
        for attributes in (span.attributes, *(event.attributes for event in span.events)):
            assert all(len(str(value)) <= MOST for value in (attributes or {}).values())
        assert "s3cret" not in span.to_json()
    (failure,) = [log for log in logs if log.event_name]
    assert len(str(failure.body)) <= MOST
    assert all(len(str(value)) <= MOST for value in failure.attributes.values())
    assert "s3cret" not in str(failure)
    assert "[101044 characters left out]" in str(failure.attributes["exception.message"])
