"""The settings of our own, each with its name, its values and what it means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar, cast

from funcscope.telemetry._config.log_levels import LEVELS, parse_level
from funcscope.telemetry._errors import TelemetryError
from funcscope.telemetry._semconv import INVOCATION_ID
from funcscope.telemetry._values.limits import MAX_QUEUE_BYTES, MAX_TEXT_LENGTH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Number = TypeVar("Number", int, float)
Value: TypeAlias = "str | int | float | tuple[str, ...]"


class Option(NamedTuple):
    """
    One setting of ours.

    Attributes:
        name: The app setting.
        keyword: The same for `configure()`, and the attribute of `Settings`.
        read: Makes its value of a text or of what was given in code; a ValueError says what
            values it may have.
        default: Its value where it is not set.
        values: The values it may have, for people.
        meaning: What it does, for people.
    """

    name: str
    keyword: str
    read: Callable[[object], Value]
    default: Value
    values: str
    meaning: str


def read_number(
    text: str, kind: Callable[[str], Number], least: float, most: float
) -> Number | None:
    """Read a number of a kind, `int` or `float`; None where it is none, or out of range."""
    try:
        number = kind(text.strip())
    except ValueError:
        return None
    return number if least <= number <= most else None


def _choice(*values: str) -> Callable[[object], Value]:
    def read(given: object) -> Value:
        text = str(given).strip().lower()
        if text not in values:
            raise ValueError(f"use one of {', '.join(values)}")
        return text

    return read


def _whole_number(least: int, most: int) -> Callable[[object], Value]:
    def read(given: object) -> Value:
        number = read_number(str(given), int, least, most)
        if number is None:
            raise ValueError(f"use a whole number from {least} to {most}")
        return number

    return read


def _ratio(given: object) -> Value:
    number = read_number(str(given), float, 0, 1)
    if number is None:
        raise ValueError("use a number from 0 to 1")
    return number


def _path(given: object) -> Value:
    return str(given).strip()


_COMMAS = "use names, separated by commas"


def _names(given: object) -> Value:
    parts = _parts(given, (list, tuple, set, frozenset))
    if not all(isinstance(part, str) for part in parts):
        raise ValueError(_COMMAS)
    return _distinct(str(part).strip().lower() for part in parts)


def _modules(given: object) -> Value:
    return _distinct(str(part).strip() for part in _parts(given, (list, tuple)))


def _baggage_keys(given: object) -> Value:
    keys = cast("tuple[str, ...]", _modules(given))
    if any(key == INVOCATION_ID or key.startswith("faas.") for key in keys):
        raise ValueError(
            f"use names other than {INVOCATION_ID} and faas.*, which callers may not set"
        )
    return keys


def _parts(given: object, kinds: tuple[type, ...]) -> list[object]:
    if isinstance(given, str):
        return [*given.split(",")]
    if isinstance(given, kinds):
        return list(cast("Iterable[object]", given))
    raise ValueError(_COMMAS)


def _level(given: object) -> Value:
    parse_level(str(given))
    return str(given).strip().upper()


def _levels(given: object) -> Value:
    if isinstance(given, Mapping):
        parts = [f"{name}={level}" for name, level in cast("Mapping[str, str]", given).items()]
    else:
        parts = str(given).split(",")
    pairs = [part.strip() for part in parts if part.strip()]
    for pair in pairs:
        name, _, level = pair.partition("=")
        if not name.strip() or not level:
            raise ValueError(f"{pair!r} is not LOGGER=LEVEL, such as azure=WARNING")
        try:
            parse_level(level)
        except ValueError as error:
            raise ValueError(f"in {pair!r}, {error}") from None
    return _distinct("=".join(p.strip() for p in pair.split("=", 1)) for pair in pairs)


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))


OPTIONS = (
    Option(
        "FUNCSCOPE_SPAN_KIND",
        "span_kind",
        _choice("auto", "host", "standalone"),
        "auto",
        "`auto`, `host`, `standalone`",
        "What an invocation's span is: INTERNAL and named `function NAME`, where the host exports "
        "a span for the request itself (`host`), or SERVER, CONSUMER and so on by its trigger "
        "(`standalone`). `auto` is `host` where host.json's `telemetryMode` is `OpenTelemetry` or "
        "the app exports to Azure Monitor.",
    ),
    Option(
        "FUNCSCOPE_PARENT_FLAG",
        "parent_flag",
        _choice("auto", "honour", "ignore"),
        "auto",
        "`auto`, `honour`, `ignore`",
        "What an unsampled trace of the host's (`traceparent` ending in `-00`) means: nothing is "
        "recorded (`honour`), or the sampler decides as for a trace that starts here (`ignore`). "
        "`auto` honours it where the host exports telemetry itself.",
    ),
    Option(
        "FUNCSCOPE_MAX_LINKS",
        "max_links",
        _whole_number(0, 10_000),
        128,
        "0 to 10000",
        "How many links to its messages' traces a span has at most.",
    ),
    Option(
        "FUNCSCOPE_MAX_TEXT_LENGTH",
        "max_text_length",
        _whole_number(256, 10_000_000),
        MAX_TEXT_LENGTH,
        "256 to 10000000",
        "How many characters are kept at most of any one text: a message, a stack trace, an "
        "attribute, a name. How many were left out is said at its end. Of a list or mapping "
        "the first 1000 items are kept at most, and as many as have no more characters. "
        "OpenTelemetry's own limits hold beside it.",
    ),
    Option(
        "FUNCSCOPE_METRICS",
        "record_metrics",
        _choice("auto", "on", "off"),
        "auto",
        "`auto`, `on`, `off`",
        "Whether metrics of invocations are recorded. `auto` leaves them out where the host emits "
        "the same: host.json's `telemetryMode` is `OpenTelemetry`.",
    ),
    Option(
        "FUNCSCOPE_CAPTURE_REQUEST_HEADERS",
        "capture_request_headers",
        _names,
        (),
        "names, separated by commas",
        "Request headers to record on HTTP spans.",
    ),
    Option(
        "FUNCSCOPE_CAPTURE_RESPONSE_HEADERS",
        "capture_response_headers",
        _names,
        (),
        "names, separated by commas",
        "Response headers to record on HTTP spans.",
    ),
    Option(
        "FUNCSCOPE_REDACT",
        "redact",
        _names,
        (),
        "names, separated by commas",
        "Query parameters, headers and fields whose values are secrets, beside the built-in ones.",
    ),
    Option(
        "FUNCSCOPE_REDACT_STREAM",
        "redact_stream",
        _choice("off", "on"),
        "off",
        "`off`, `on`",
        "Whether secrets are also taken out of what log handlers get: the worker's own log stream, "
        "which the host sends to Application Insights, and the console.",
    ),
    Option(
        "FUNCSCOPE_BAGGAGE_KEYS",
        "baggage_keys",
        _baggage_keys,
        (),
        "names, separated by commas",
        "Entries of a caller's baggage that are attributes of an invocation's span and of its log "
        "records, by these names. Of a value 256 characters are kept.",
    ),
    Option(
        "FUNCSCOPE_TAG_RESPONSE",
        "tag_response",
        _choice("off", "on"),
        "off",
        "`off`, `on`",
        "Whether what `tag_request()` is given also goes to the host with the response, for its "
        "own span and request row. Microsoft's Python worker does not support that yet.",
    ),
    Option(
        "FUNCSCOPE_INSTRUMENT",
        "instrument",
        _names,
        (),
        "`auto`, or names, separated by commas",
        "Installed OpenTelemetry instrumentations to turn on, such as `requests,httpx`, or `auto` "
        "for all, when `funcscope.auto` is imported: "
        "[instrumentations](../how-to/instrumentations.md).",
    ),
    Option(
        "FUNCSCOPE_FLUSH",
        "flush",
        _choice("idle", "invocation", "interval"),
        "idle",
        "`idle`, `invocation`, `interval`",
        "When what was recorded is sent: as soon as no invocation is in flight, by a thread of its "
        "own (`idle`); before each invocation's result goes to the host, which waits for that up "
        "to `FUNCSCOPE_FLUSH_BUDGET_MS` (`invocation`); or when a batch is full or old enough "
        "(`interval`), as always under load.",
    ),
    Option(
        "FUNCSCOPE_FLUSH_BUDGET_MS",
        "flush_budget_ms",
        _whole_number(1, 60_000),
        500,
        "1 to 60000",
        "How long an invocation waits for its telemetry at most, in milliseconds, where "
        "`FUNCSCOPE_FLUSH` is `invocation`; it holds against a collector that hangs.",
    ),
    Option(
        "FUNCSCOPE_SHUTDOWN_BUDGET_MS",
        "shutdown_budget_ms",
        _whole_number(0, 60_000),
        2000,
        "0 to 60000",
        "How long a worker that is stopped goes on sending what it has, in milliseconds.",
    ),
    Option(
        "FUNCSCOPE_UNFINISHED",
        "unfinished",
        _choice("on", "off"),
        "on",
        "`on`, `off`",
        "Whether an invocation that is about to be killed is told of, shortly before its "
        "time-out and at SIGTERM: its span so far is sent, with `funcscope.is_unfinished`, and "
        "a warning with its function's stack.",
    ),
    Option(
        "FUNCSCOPE_QUEUE_SIZE",
        "queue_size",
        _whole_number(16, 1_000_000),
        8192,
        "16 to 1000000",
        "How many spans, and how many log records, wait to be sent at most.",
    ),
    Option(
        "FUNCSCOPE_QUEUE_BYTES",
        "queue_bytes",
        _whole_number(65_536, 1 << 32),
        MAX_QUEUE_BYTES,
        "65536 to 4294967296",
        "How many bytes the log records that wait to be sent may take, about.",
    ),
    Option(
        "FUNCSCOPE_DROP_FIRST",
        "drop_first",
        _choice("keep_errors", "oldest", "newest"),
        "keep_errors",
        "`keep_errors`, `oldest`, `newest`",
        "What is dropped first when they are too many: the oldest that tells of no error "
        "(`keep_errors`), the oldest, or the newest. What is dropped is counted.",
    ),
    Option(
        "FUNCSCOPE_SPOOL_DIR",
        "spool_dir",
        _path,
        "",
        "a directory",
        "Where to keep what cannot be sent, until it can; nothing is written where this is not "
        "set. `~` and `$NAME` are expanded. Several workers may share one.",
    ),
    Option(
        "FUNCSCOPE_SPOOL_MAX_MB",
        "spool_max_mb",
        _whole_number(1, 100_000),
        64,
        "1 to 100000",
        "How much is kept there at most, in MiB, by all that share it; the oldest goes first.",
    ),
    Option(
        "FUNCSCOPE_SPOOL_MAX_AGE_H",
        "spool_max_age_h",
        _whole_number(1, 10_000),
        48,
        "1 to 10000",
        "How long it is kept there at most, in hours.",
    ),
    Option(
        "FUNCSCOPE_SPOOL_FSYNC",
        "spool_fsync",
        _choice("off", "on"),
        "off",
        "`off`, `on`",
        "Whether each body is on the disk itself before it counts as kept (`on`), so that it "
        "outlives a crash of the machine, and not of the process alone.",
    ),
    Option(
        "FUNCSCOPE_KEEP_RATIO",
        "keep_ratio",
        _ratio,
        1.0,
        "0 to 1",
        "Which part of the invocations to keep, decided when they end: all that fail or are slow "
        "(`FUNCSCOPE_KEEP_SLOWER_MS`), and this part of the rest. Spans and log records of an "
        "invocation are kept or left out together.",
    ),
    Option(
        "FUNCSCOPE_KEEP_SLOWER_MS",
        "keep_slower_ms",
        _whole_number(0, 86_400_000),
        0,
        "0 to 86400000",
        "Which invocations count as slow, in milliseconds; 0: none does.",
    ),
    Option(
        "FUNCSCOPE_PROPAGATE",
        "propagate",
        _choice("on", "off"),
        "on",
        "`on`, `off`",
        "Whether invocations are carried into the threads, pool calls and callbacks that functions "
        "start.",
    ),
    Option(
        "FUNCSCOPE_LEAVE_THREADS",
        "leave_threads",
        _modules,
        (),
        "import names, separated by commas",
        "Libraries, beside the built-in ones, whose threads are their own and belong to no "
        "invocation.",
    ),
    Option(
        "FUNCSCOPE_LOG_LEVEL",
        "log_level",
        _level,
        "NOTSET",
        ", ".join(f"`{name}`" for name in LEVELS),
        "The lowest level of log records to export. `NOTSET` is what the loggers let through.",
    ),
    Option(
        "FUNCSCOPE_LOG_LEVELS",
        "log_levels",
        _levels,
        (),
        "pairs such as `azure=WARNING,orders.sql=OFF`, separated by commas",
        "The same for single loggers and those below them. Unless set here, `azure`, `msal`, "
        "`uamqp` and `urllib3` are exported from `WARNING` up.",
    ),
    Option(
        "FUNCSCOPE_LOG_BUFFER",
        "log_buffer",
        _whole_number(0, 100_000),
        0,
        "0 to 100000",
        "How many log records of each invocation to keep that are not exported for their level "
        "(`DEBUG`, or what is below `FUNCSCOPE_LOG_LEVEL`), until it ends: if it fails they are "
        "exported after all. 0 keeps none.",
    ),
)

DEFAULTS: Mapping[str, Any] = {option.keyword: option.default for option in OPTIONS}
"""The value of each option that is not set, by keyword."""


def read_options(
    environ: Mapping[str, str], given: Mapping[str, Value], problems: list[str]
) -> dict[str, Value]:
    """
    Read our settings: what code gave wins over app settings, these over the defaults.

    Args:
        environ: The app settings.
        given: What `configure()` was given, by keyword, read already.
        problems: Gets a sentence for each setting that is wrong.
    """
    values: dict[str, Value] = {}
    problems.extend(_unknown(environ))
    for option in OPTIONS:
        values[option.keyword] = given.get(option.keyword, option.default)
        text = environ.get(option.name, "").strip()
        if option.keyword in given or not text:
            continue
        try:
            values[option.keyword] = option.read(text)
        except ValueError as error:
            problems.append(f"{option.name}={text!r} is not known: {error}")
    return values


LOCAL_HOST = "FUNCSCOPE_LOCAL_HOST"
"""What `funcscope run` sets: that host exports nothing of a function but its request's span."""

OTHERS = (
    LOCAL_HOST,
    "FUNCSCOPE_DISABLE",
    "FUNCSCOPE_SLOW_HOOK_MS",
    "FUNCSCOPE_INVOCATION_ID",
    "FUNCSCOPE_FUNCTION_NAME",
)
"""Other names with the prefix: settings of extensions, and those given to other processes."""
_PREFIX = "FUNCSCOPE_"


def _unknown(environ: Mapping[str, str]) -> Iterator[str]:
    """Name each setting that has our prefix and means nothing, with the nearest that does."""
    known = [*(option.name for option in OPTIONS), *OTHERS]
    for name in sorted(environ):
        if name.upper().startswith(_PREFIX) and name not in known:
            from difflib import get_close_matches  # seldom needed

            unprefixed = name.upper().removeprefix(_PREFIX)
            near = get_close_matches(unprefixed, [k.removeprefix(_PREFIX) for k in known], 1)
            hint = (
                f"did you mean {_PREFIX}{near[0]}?"
                if near
                else "docs/reference/settings.md lists them"
            )
            yield f"{name} is no setting of funcscope, and changes nothing: {hint}"


def check_options(given: Mapping[str, object]) -> dict[str, Value]:
    """
    Read what `configure()` was given.

    Raises:
        TelemetryError: There is no such option, or it cannot have that value.
    """
    by_keyword = {option.keyword: option for option in OPTIONS}
    values: dict[str, Value] = {}
    for keyword, value in given.items():
        option = by_keyword.get(keyword)
        if option is None:
            raise TelemetryError(
                f"configure() has no option {keyword!r}: use {', '.join(sorted(by_keyword))}"
            )
        try:
            values[keyword] = option.read(value)
        except ValueError as error:
            raise TelemetryError(f"configure({keyword}={value!r}) is not known: {error}") from None
    return values
