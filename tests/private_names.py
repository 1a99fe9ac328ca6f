"""
The names of others' that we use and that they may change any day: private ones, and some more.

`tests/test_private_names.py` finds each use of a private name in the source here, and
`tests/integration/test_private_names.py` runs an app without each of these names.
"""

from __future__ import annotations

from typing import NamedTuple


class Name(NamedTuple):
    """
    A name of somebody else's.

    Attributes:
        name: As the source has it.
        of: Whose it is.
        said: What is said where it is gone; empty where nothing that people notice is lost.
        app: Which app of `tests/integration/without_names.py` uses it; empty where none does.
        records: What arrives all the same, in the host's trace.
    """

    name: str
    of: str
    said: str = ""
    app: str = "http"
    records: frozenset[str] = frozenset({"spans", "logs"})


NOTHING: frozenset[str] = frozenset()
AZURE = "azure.functions"
WORKER = "azure_functions_runtime"
API, SDK = "opentelemetry-api", "opentelemetry-sdk"
CENSUS = "opencensus"
DURABLE = "durabletask"  # beside the others: tests/integration/test_durable_next.py
SLOWER = "spans are made by the SDK itself"
MISFIT = "does not fit"

NAMES = (
    Name("_app_exts", AZURE, "each call looks for new extensions at a higher cost"),
    Name("_func_exts", AZURE, "each call looks for new extensions at a higher cost"),
    Name("_data", AZURE, app=""),  # of an MCP prompt: a client's span
    Name("_info", AZURE, app=""),  # of the plugin for tests alone
    Name("get_application_hooks", AZURE, "extensions written to Microsoft's bases do not run"),
    Name("get_function_hooks", AZURE, "extensions written to Microsoft's bases do not run"),
    Name("get_registered_extensions_json", AZURE, "has no ExtensionMeta."),
    Name("_register_function_extension", AZURE, "do not run, around_invocation does"),
    Name("_trigger_name", AZURE, "do not run, around_invocation does"),
    Name("_function", AZURE, "timed('stage') measures nothing"),
    Name("_func", AZURE, "timed('stage') measures nothing"),
    Name("get_functions", AZURE, "unknown workers get nothing"),
    # The fallback has no context of a worker's, so that spans are in no host's trace.
    Name("_functions", WORKER, MISFIT, records=NOTHING),
    Name("add_func_to_registry_and_return_funcinfo", WORKER, MISFIT, records=NOTHING),
    Name("requires_context", WORKER, MISFIT, records=NOTHING),
    Name("add_indexed_function", WORKER),
    Name("invocation_id_cv", WORKER),
    Name("_invocation_id_local", WORKER),
    Name("get_context", WORKER),
    Name("_decode_inputs", WORKER),
    Name("_get_context", "azure_functions_worker", app=""),
    Name("_RUNTIME_CONTEXT", API),
    Name("_current_context", API),
    Name("_SUPPRESS_INSTRUMENTATION_KEY", API),
    Name("_logs", API, "no telemetry", app="alone", records=NOTHING),  # its logs, as a whole
    Name("_active_span_processor", SDK, app=""),  # of a provider of the app's
    Name("_attributes", SDK, SLOWER),
    Name("_batch_processor", SDK, app=""),  # of a processor of the app's
    Name("_context", SDK),
    Name("_decision", SDK, SLOWER),
    Name("_end_time", SDK),
    Name("_events", SDK),
    Name("_export_lock", SDK, app=""),
    Name("_immutable", SDK),
    Name("_instrumentation_scope", SDK, SLOWER),
    Name("_instrument_class_aggregation", SDK, app=""),  # of a reader, before 1.43
    Name("_instrument_class_temporality", SDK, app=""),
    Name("_instrument_view_instrument_matches", SDK, app=""),  # metrics alone, in a guard
    Name("_internal", SDK, app=""),  # for type checkers alone
    Name("_kind", SDK),
    Name("_links", SDK),
    Name("_log_record_processors", SDK),
    Name("_measurement_consumer", SDK, app=""),
    Name("_metric_readers", SDK, app=""),  # of a provider of the app's
    Name("_logger_provider", SDK, app=""),  # of a handler of a distro's
    Name("_multi_log_record_processor", SDK),
    Name("_on_ending", SDK, SLOWER),
    Name("_parent", SDK),
    Name("_readable_span", SDK, SLOWER),
    Name("_reader_storages", SDK, app=""),
    Name("_receive_metrics", SDK, app=""),  # of a reader that another package has registered
    Name("_remote_parent_not_sampled", SDK, SLOWER),
    Name("_remote_parent_sampled", SDK, SLOWER),
    Name("_root", SDK, SLOWER),
    Name("_sdk_config", SDK, app=""),  # of meter providers before 1.43
    Name("_span_limits", SDK, SLOWER),
    Name("_span_processor", SDK),
    Name("_span_processors", SDK, SLOWER),
    Name("_start_time", SDK),
    Name("_status", SDK),
    Name("_tracer_config", SDK, SLOWER),
    Name("_tracer_metrics", SDK, SLOWER),
    Name("_get_running_loop", "asyncio"),
    Name("_bootstrap_inner", "threading", "threads are not carried"),
    Name("_target", "threading"),
    Name("_current_frames", "sys", app=""),  # as the next one
    Name("_getframe", "sys", app=""),  # documented, and there in every CPython
    Name("_str", "traceback"),
    Name("_initializing", "importlib"),
    Name("_lock", "threading"),
    Name("_handlerList", "logging", app="opencensus"),
    Name("_Integrations", CENSUS, app="opencensus"),
    Name("_status_code", AZURE, app="flask"),
    Name(
        "_start_internal_or_server_span",
        "opentelemetry-instrumentation",
        "makes spans beside the invocation's",
        app="flask",
    ),
    Name("from_app", AZURE, "routes of web frameworks are not recorded", app="flask"),
    Name("_RuntimeOrchestrationContext", DURABLE, MISFIT, app=""),
    Name("_execute_orchestrator", DURABLE, MISFIT, app=""),
    Name("_execute_entity_batch", DURABLE, MISFIT, app=""),
    Name("_generator", DURABLE, "keeps an orchestrator's generator elsewhere", app=""),
    Name("_is_complete", DURABLE, app=""),
    Name("_log_exporter", "opentelemetry-exporter-otlp", app=""),
    Name("_endpoint", "opentelemetry-exporter-otlp", app=""),  # of an exporter of the app's
    Name("_instrumentation_key", "azure-monitor-opentelemetry-exporter", app=""),
    Name("_log_to_envelope", "azure-monitor-opentelemetry-exporter", app=""),
    Name("_span_events_to_envelopes", "azure-monitor-opentelemetry-exporter", app=""),
    Name("_span_to_envelope", "azure-monitor-opentelemetry-exporter", app=""),
    Name("_datadog_patch", "ddtrace", app=""),
    Name("_logger", "structlog", app=""),
    Name("_name", f"{SDK}, structlog"),
)
