"""
Write the pages of docs/reference that are made from the code's own tables, and llms.txt: `make docs`.

    python -m scripts.reference [--check]

With `--check` nothing is written: the exit code tells whether the pages are up to date.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.delivery_states import STATES, TRANSITIONS
from scripts.docs_index import ROOT, docs_index
from scripts.guide_reference import guide_reference
from scripts.snippets import not_run
from scripts.trigger_reference import reference

from funcscope.contrib.host._doctor.rules import RULES
from funcscope.extensions._propagation.libraries import LIBRARY_CALLS, LIBRARY_THREADS
from funcscope.telemetry._config.options import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

REFERENCE = "docs/reference"

SETTINGS = """\
# Settings

App settings, as strings, read when the first function is loaded. What is wrong is named in the log
then, and its default holds. Those with a keyword may be given in code as well, and code wins:

```python
from funcscope.telemetry import configure

configure(span_kind="standalone", max_links=32)
```

`configure()` turns telemetry on as `import funcscope.auto` does. Call it when the app is imported:
once the first invocation has started it is refused. Called again, later options win and
`span_processors=[…]` add up.

## Telemetry

| setting | keyword | values | default | meaning |
|---|---|---|---|---|
{options}

## Extensions

| setting | values | default | meaning |
|---|---|---|---|
| `FUNCSCOPE_DISABLE` | names, separated by commas | | Extensions to switch off, by class name in any case; with a class go those that derive from it. `TelemetryExtension` is ours. |
| `FUNCSCOPE_SLOW_HOOK_MS` | a positive number | 50 | How long an extension may hold the event loop before it is named in the log, in milliseconds. |

## OpenTelemetry's own

What is wrong with these is named then, too. A timeout, a compression or a delay that is wrong has its
default; a signal whose endpoint, headers, certificate or proxy cannot be used does not go to OTLP, and
the others do.

| setting | meaning |
|---|---|
| `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_{{TRACES,METRICS,LOGS}}_ENDPOINT` | where to; setting one turns OTLP on for its signals |
| `OTEL_{{TRACES,METRICS,LOGS}}_EXPORTER` | any of `otlp`, `azuremonitor`, `console`, `none`, separated by commas |
| `OTEL_EXPORTER_OTLP_PROTOCOL`, `OTEL_EXPORTER_OTLP_{{TRACES,METRICS,LOGS}}_PROTOCOL` | `http/protobuf` (default) or `grpc` (extra `grpc`) |
| `APPLICATIONINSIGHTS_CONNECTION_STRING` | where Azure Monitor is; turns it on for all signals, with the extra `azuremonitor` ([how-to](../how-to/azure-monitor.md)) |
| `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` | win over what Azure's settings say of the app |
| `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG` | as the SDK reads them; never widened by `FUNCSCOPE_PARENT_FLAG`. A ratio is told by spans, so that [they can be weighed](../how-to/many-instances.md) |
| `OTEL_PROPAGATORS` | with `baggage`, as it has unless set, a caller's W3C baggage is current in HTTP functions, and recorded by the names in `FUNCSCOPE_BAGGAGE_KEYS` alone ([how-to](../how-to/tag-requests.md)) |
| `OTEL_SDK_DISABLED` | `true`: nothing is recorded |
| `OTEL_EXPORTER_OTLP_{{HEADERS,TIMEOUT,COMPRESSION,CERTIFICATE,CLIENT_KEY,CLIENT_CERTIFICATE}}`, also per signal | as the specification has them (1.50); the timeout in seconds, as OpenTelemetry Python has it, and from 1000 on in milliseconds, as the specification does |
| `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`, `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE` | as requests reads them ([how-to](../how-to/sending.md#over-http)); SOCKS proxies need the extra `socks` |
| `OTEL_EXPORTER_OTLP_METRICS_{{TEMPORALITY_PREFERENCE,DEFAULT_HISTOGRAM_AGGREGATION}}` | as the specification has them (1.50) |
| `OTEL_BSP_SCHEDULE_DELAY`, `OTEL_BLRP_SCHEDULE_DELAY` | how long a span or log record waits at most under load, in milliseconds; 5000 and 1000 |
| `OTEL_BSP_*`, `OTEL_BLRP_*` otherwise | as the SDK reads them, for gRPC and the console; OTLP/HTTP has `FUNCSCOPE_QUEUE_SIZE` |
| `OTEL_SEMCONV_STABILITY_OPT_IN` | any of `faas`, `messaging`, `faas/dup` and `messaging/dup`, separated by commas: names of semantic conventions 1.45, alone or beside those of 1.44 ([which](triggers.md#names-of-newer-conventions)); `gen_ai_latest_experimental`: [server spans of MCP](triggers.md#model-context-protocol). Other instrumentations' tokens are left to them |
| `OTEL_{{ATTRIBUTE,SPAN_ATTRIBUTE,EVENT_ATTRIBUTE,LINK_ATTRIBUTE,LOGRECORD_ATTRIBUTE,SPAN_EVENT,SPAN_LINK}}_COUNT_LIMIT`, `OTEL_{{,SPAN_,LOGRECORD_}}ATTRIBUTE_VALUE_LENGTH_LIMIT`, `OTEL_METRICS_EXEMPLAR_FILTER` | as the SDK reads them; a wrong one is named, taken out of the process's environment, and its default holds |
| `OTEL_METRIC_EXPORT_*` | as the SDK reads them |
| `OTEL_PYTHON_LOG_CODE_ATTRIBUTES` | `true`: log records say where they were made |
| `OTEL_CONFIG_FILE` | a [configuration file](../how-to/plug-points.md#a-configuration-file), which takes the place of OpenTelemetry's other settings (extra `configuration`) |
| `OTEL_PYTHON_ID_GENERATOR` | `random`, or a registered name |
| `OTEL_EXPERIMENTAL_RESOURCE_DETECTORS` | as the SDK reads them; where one differs from Azure's settings, these stand |
| `OTEL_PYTHON_DISABLED_INSTRUMENTATIONS` | instrumentations that stay off though `FUNCSCOPE_INSTRUMENT` or code names them (`*`: all of them); `azure_functions`, by that name: no invocation is recorded |
| `OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN` | `logs`: exceptions of invocations are log events, and nothing where no logs are exported; `logs/dup`: events of their spans as well. Unless set, log events where logs are exported, and events of spans where not |

Exporters, samplers, propagators, resource detectors and id generators that other packages register as
entry points are named as in OpenTelemetry Python ([plug points](../how-to/plug-points.md)).
"""


def settings() -> str:
    """Make the page of settings."""
    rows = [
        f"| `{o.name}` | `{o.keyword}` | {o.values} | {_default(o.default)} | {o.meaning} |"
        for o in OPTIONS
    ]
    return SETTINGS.format(options="\n".join(rows))


def _default(value: object) -> str:
    return f"`{value}`" if value != () else ""


THREADS = """\
# Threads that are left alone

Libraries start these for their own ends, in whichever invocation needs them first, so they belong to
none ([Logging from threads](../how-to/logging-from-threads.md)). Those that a version is given for
were read in it. `FUNCSCOPE_LEAVE_THREADS`, or `propagate(leave=[…])`, adds names to the list: of
packages, modules or classes, as they are imported.

| whose | what |
|---|---|
{threads}

What is submitted to a pool is left alone where it is one of these:

| whose | what |
|---|---|
{calls}
"""


def threads() -> str:
    """Make the page of threads that are left alone."""

    def rows(names: Mapping[str, str]) -> str:
        return "\n".join(f"| `{name}` | {what} |" for name, what in sorted(names.items()))

    return THREADS.format(threads=rows(LIBRARY_THREADS), calls=rows(LIBRARY_CALLS))


DELIVERY = """\
# The life of a span, log record or data point

From its recording to its end over `http/protobuf` ([What was recorded arrives](../how-to/sending.md)).
What is counted is in `status().reports["delivery"]` and the metric `funcscope.export.items`; where it
is `dropped` that is the reason. A process that is killed loses what is queued, encoded or in
flight from memory: nobody is left to count it. On R2P2, where no handler of SIGTERM can be set, a bare
SIGTERM is such a kill: it loses metrics of up to 10 s, and spans and log records of 0.02 s when the app is
idle, of 0.2 s under load ([what is sent when](../how-to/sending.md#when-the-process-ends)).

| state | an item is |
|---|---|
{states}

| from | to | counted as | when |
|---|---|---|---|
{transitions}

Metrics are encoded before they are queued: of one that cannot be, all its points are dropped, each
time that it is collected, and its name is logged.

What is taken and never answered may be in flight again, and arrive twice. What is in flight from
memory when the time of an end is over is spooled or dropped, whatever is answered later.
"""


def delivery() -> str:
    """Make the page of what becomes of items."""
    states = [f"| {name} | {meaning} |" for name, meaning in STATES.items()]
    rows = [
        f"| {t.before} | {t.after} | {f'`{t.counted}`' if t.counted else ''} | {t.when} |"
        for t in TRANSITIONS
    ]
    return DELIVERY.format(states="\n".join(states), transitions="\n".join(rows))


DOCTOR = """\
# What `funcscope doctor` finds

Each kind of finding by the id that reports give it. An error loses telemetry or breaks functions, a
warning may, a note is worth a thought. How to run it: [check an app](../how-to/check-an-app.md).

| id | severity | what is wrong | more |
|---|---|---|---|
{rules}
"""


def doctor() -> str:
    """Make the page of the doctor's rules."""
    rows = [
        f"| `{r.id}` | {r.severity.label} | {r.title} | [{Path(r.page).stem}](../{r.page}) |"
        for r in RULES
    ]
    return DOCTOR.format(rules="\n".join(rows))


PAGES = {
    f"{REFERENCE}/delivery.md": delivery,
    f"{REFERENCE}/doctor.md": doctor,
    f"{REFERENCE}/guide.md": guide_reference,
    f"{REFERENCE}/not-run.md": not_run,
    f"{REFERENCE}/settings.md": settings,
    f"{REFERENCE}/threads.md": threads,
    f"{REFERENCE}/triggers.md": reference,
    "llms.txt": docs_index,  # the last: it reads the others
}


def main(argv: list[str]) -> int:
    """Write the pages, or tell which of them are not up to date."""
    stale = [name for name, make in PAGES.items() if not is_current(ROOT / name, make())]
    if "--check" in argv:
        for name in stale:
            print(f"{name} is not up to date: run `make docs`", file=sys.stderr)
        return 1 if stale else 0
    for name, make in PAGES.items():
        (ROOT / name).write_text(make())
    return 0


def is_current(page: Path, text: str) -> bool:
    """Tell whether a page says what is made for it."""
    return page.exists() and page.read_text() == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
