"""
The structure of the OpenTelemetry Collector's configuration, as far as docs/collector uses it.

Its keys and their types are facts, read in the Collector's `config.schema.yaml` and `config.go`
files. `SOURCES` names file and commit of each component; of `file_storage`, whose commit is not
known, it is the version with `cleanup_on_start`. Names of components are those of collector-contrib
v0.153, the first that has `load_balancing`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from tests.ottl import OttlError, parse

Shape: TypeAlias = "str | list[Shape] | Mapping[str, Shape]"  # a scalar's type, items, keys

CORE, CONTRIB = (
    "open-telemetry/opentelemetry-collector",
    "open-telemetry/opentelemetry-collector-contrib",
)
SOURCES = {
    "receivers/otlp": (CORE, "receiver/otlpreceiver/config.schema.yaml", "1f4355e9ac29"),
    "processors/memory_limiter": (
        CORE, "internal/memorylimiter/config.schema.yaml", "9c920b6f7a1f",
    ),
    "processors/filter": (CONTRIB, "processor/filterprocessor/config.schema.yaml", "61bceb3e2c94"),
    "processors/tail_sampling": (
        CONTRIB, "processor/tailsamplingprocessor/config.schema.yaml", "0dc068537436",
    ),
    "processors/probabilistic_sampler": (
        CONTRIB, "processor/probabilisticsamplerprocessor/config.schema.yaml", "4632d0045a6e",
    ),
    "exporters/otlp_http": (CORE, "exporter/otlphttpexporter/config.schema.yaml", "1f4355e9ac29"),
    "exporters/load_balancing": (
        CONTRIB, "exporter/loadbalancingexporter/config.schema.yaml", "97b5b3ee9154",
    ),
    "exporters/azuremonitor": (
        CONTRIB, "exporter/azuremonitorexporter/config.schema.yaml", "1ca0305c83b4",
    ),
    "extensions/file_storage": (CONTRIB, "extension/storage/filestorage/config.go", ""),
    "queue": (CORE, "exporter/exporterhelper/internal/queuebatch/config.go", "0008bd9fb8b1"),
    "retry": (CORE, "config/configretry/config.schema.yaml", "4000bf37c4bd"),
    "http": (CORE, "config/confighttp/config.schema.yaml", "0459a1b76bfe"),
    "grpc": (CORE, "config/configgrpc/config.schema.yaml", "3417c47c7ba4"),
    "tls": (CORE, "config/configtls/config.schema.yaml", "4ebf1d40e18a"),
}  # fmt: skip

TLS: Mapping[str, Shape] = {
    **dict.fromkeys(("ca_file", "cert_file", "key_file", "min_version", "max_version"), "string"),
    "include_system_ca_certs_pool": "bool",
    "reload_interval": "duration",
}
TLS_SERVER = {**TLS, "client_ca_file": "string", "client_ca_file_reload": "bool"}
TLS_CLIENT = {
    **TLS, "insecure": "bool", "insecure_skip_verify": "bool", "server_name_override": "string",
}  # fmt: skip
RETRY: Mapping[str, Shape] = {
    "enabled": "bool",
    **dict.fromkeys(("initial_interval", "max_interval", "max_elapsed_time"), "duration"),
    "max_retries": "int",
    **dict.fromkeys(("multiplier", "randomization_factor"), "number"),
}
SIZER = "requests|items|bytes"
QUEUE: Mapping[str, Shape] = {
    **dict.fromkeys(("enabled", "block_on_overflow", "wait_for_result"), "bool"),
    **dict.fromkeys(("num_consumers", "queue_size"), "int"),
    "sizer": SIZER,
    "storage": "string",
    "batch": {
        "flush_timeout": "duration", "min_size": "int", "max_size": "int", "sizer": SIZER,
    },
}  # fmt: skip
HTTP_CLIENT: Mapping[str, Shape] = {
    **dict.fromkeys(("endpoint", "compression", "proxy_url"), "string"),
    "headers": "strings",
    "timeout": "duration",
    "tls": TLS_CLIENT,
}
POLICY_TYPES: Mapping[str, Shape] = {
    "always_sample": {},
    "boolean_attribute": {"key": "attribute", "value": "bool", "invert_match": "bool"},
    "latency": {"threshold_ms": "int", "upper_threshold_ms": "int"},
    "probabilistic": {"hash_salt": "string", "sampling_percentage": "number"},
    "status_code": {"status_codes": ["OK|ERROR|UNSET"]},
    "string_attribute": {
        "key": "attribute", "values": ["string"], "enabled_regex_matching": "bool",
        "cache_max_size": "int", "invert_match": "bool",
    },
}  # fmt: skip
ERROR_MODE = "ignore|silent|propagate"
CONDITIONS: Shape = [
    {
        "context": "resource|scope|span|spanevent|metric|datapoint|log",
        "conditions": ["ottl"],
        "error_mode": ERROR_MODE,
    }
]
SUB_POLICY: Mapping[str, Shape] = {
    "name": "string", "type": "|".join(POLICY_TYPES), **POLICY_TYPES,
}  # fmt: skip
COMPONENTS: Mapping[str, Mapping[str, Shape]] = {
    "receivers": {
        "otlp": {
            "protocols": {
                "http": {"endpoint": "address", "tls": TLS_SERVER, "max_request_body_size": "int"},
                "grpc": {"endpoint": "address", "tls": TLS_SERVER, "max_recv_msg_size_mib": "int"},
            }
        }
    },
    "processors": {
        "memory_limiter": {
            "check_interval": "duration",
            **dict.fromkeys(("limit_mib", "spike_limit_mib"), "int"),
            **dict.fromkeys(("limit_percentage", "spike_limit_percentage"), "int"),
        },
        "filter": {
            "error_mode": ERROR_MODE,
            "trace_conditions": CONDITIONS,
            "metric_conditions": CONDITIONS,
            "log_conditions": CONDITIONS,
        },
        "tail_sampling": {
            **dict.fromkeys(("decision_wait", "decision_wait_after_root_received"), "duration"),
            **dict.fromkeys(
                ("num_traces", "expected_new_traces_per_sec", "maximum_trace_size_bytes"), "int"
            ),
            "decision_cache": {"sampled_cache_size": "int", "non_sampled_cache_size": "int"},
            "block_on_overflow": "bool",
            "policies": [
                {
                    **SUB_POLICY,
                    "type": f"{SUB_POLICY['type']}|and",
                    "and": {"and_sub_policy": [SUB_POLICY]},
                }
            ],
        },
        "probabilistic_sampler": {
            "mode": "hash_seed|proportional|equalizing",
            "sampling_percentage": "number",
            **dict.fromkeys(("hash_seed", "sampling_precision"), "int"),
            "fail_closed": "bool",
        },
    },
    "exporters": {
        "otlp_http": {**HTTP_CLIENT, "retry_on_failure": RETRY, "sending_queue": QUEUE},
        "load_balancing": {
            "routing_key": "service|traceID|metric|resource|streamID|attributes",
            "resolver": {
                "static": {"hostnames": ["string"]},
                "dns": {
                    "hostname": "string", "port": "string",
                    "interval": "duration", "timeout": "duration",
                },
            },
            "timeout": "duration",
            "retry_on_failure": RETRY,
            "sending_queue": QUEUE,
            "protocol": {
                "otlp": {
                    "timeout": "duration",
                    "compression": "string",
                    "tls": TLS_CLIENT,
                    "retry_on_failure": RETRY,
                    "sending_queue": QUEUE,
                }
            },
        },
        "azuremonitor": {
            **HTTP_CLIENT,
            "connection_string": "string",
            "maxbatchsize": "int",
            **dict.fromkeys(("maxbatchinterval", "shutdown_timeout"), "duration"),
            **dict.fromkeys(
                ("custom_events_enabled", "exception_events_enabled", "spaneventsenabled"), "bool"
            ),
            "sending_queue": QUEUE,
        },
    },
    "extensions": {
        "file_storage": {
            "directory": "string",
            "timeout": "duration",
            **dict.fromkeys(("fsync", "create_directory"), "bool"),
            "directory_permissions": "octal",
            "compaction": {
                "directory": "string",
                **dict.fromkeys(("on_start", "on_rebound", "cleanup_on_start"), "bool"),
                **dict.fromkeys(
                    (
                        "rebound_needed_threshold_mib",
                        "rebound_trigger_threshold_mib",
                        "max_transaction_size",
                    ),
                    "int",
                ),
                "check_interval": "duration",
            },
        }
    },
}  # fmt: skip
SIGNALS: Mapping[str, set[str]] = {
    "tail_sampling": {"traces"},
    "probabilistic_sampler": {"traces", "logs"},
}
"""The signals of a component, where it does not take all."""

PATTERNS = {
    "duration": r"(\d+(\.\d+)?(ns|us|ms|s|m|h))+",  # Go's time.ParseDuration
    "address": r"(localhost|0\.0\.0\.0):\d+",
    "octal": r"0[0-7]{3}",
    "attribute": r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+",
    "string": r"[^$]*|[^$]*\$\{env:[A-Z_]+\}[^$]*",
}
TYPES: Mapping[str, tuple[type, ...]] = {"int": (int,), "number": (int, float), "bool": (bool,)}


def faults(config: Mapping[str, object]) -> list[str]:
    """Say what the Collector would refuse, or leave unused, of a configuration."""
    kinds = [*COMPONENTS, "service"]
    return [
        *unknown_keys("", config, kinds),
        *(
            fault
            for kind in COMPONENTS
            for name, settings in mapping(config.get(kind)).items()
            for fault in component_faults(kind, name, settings)
        ),
        *service_faults(config, mapping(config.get("service"))),
        *storage_faults(config, ""),
    ]


def component_faults(kind: str, name: str, settings: object) -> Iterator[str]:
    """Say what is wrong with one component's settings; its name may have a part after `/`."""
    shape = COMPONENTS[kind].get(name.partition("/")[0])
    if shape is None:
        yield f"{kind}: {name!r} is no component"
    else:
        yield from shape_faults(f"{kind}.{name}", settings, shape)


def shape_faults(where: str, value: object, shape: Shape) -> Iterator[str]:
    """Say where a value is not of a shape."""
    if isinstance(shape, list):
        if not isinstance(value, list) or not value:
            yield f"{where}: {value!r} is no list with items"
            return
        for index, item in enumerate(value):
            yield from shape_faults(f"{where}[{index}]", item, shape[0])
    elif isinstance(shape, str):
        if not is_scalar(value, shape):
            yield f"{where}: {value!r} is not: {shape}"
    elif not isinstance(value, Mapping):
        yield f"{where}: {value!r} is no mapping"
    else:
        yield from unknown_keys(where, value, shape)
        yield from policy_faults(where, value, shape)
        for key in value.keys() & shape.keys():
            yield from shape_faults(f"{where}.{key}", value[key], shape[key])


def policy_faults(where: str, value: Mapping[str, object], shape: Shape) -> Iterator[str]:
    """Say where a policy has no name, or settings of another type than its own."""
    if "always_sample" in shape:
        own = {str(value.get("type"))} - {"always_sample"}
        if not value.get("name") or value.keys() - {"name", "type"} != own:
            yield f"{where}: a policy is its name, its type and the settings of that type"


def is_scalar(value: object, kind: str) -> bool:
    """Tell whether a value is of a type, or one of the words that `|` separates."""
    if kind in TYPES:
        return isinstance(value, TYPES[kind]) and isinstance(value, bool) == (kind == "bool")
    if kind == "strings":
        return isinstance(value, Mapping) and all(is_scalar(v, "string") for v in value.values())
    if not isinstance(value, str):
        return False
    if kind == "ottl":
        try:
            parse(value)
        except OttlError:
            return False
        return True
    return re.fullmatch(PATTERNS.get(kind, kind), value) is not None


def service_faults(config: Mapping[str, object], service: Mapping[str, object]) -> Iterator[str]:
    """Say what pipelines name that is not there, and what is there that none names."""
    yield from unknown_keys("service", service, ["extensions", "pipelines"])
    used: dict[str, set[str]] = {kind: set() for kind in COMPONENTS}
    used["extensions"].update(names(service.get("extensions")))
    for pipeline, parts in mapping(service.get("pipelines")).items():
        signal, roles = pipeline.partition("/")[0], ["receivers", "processors", "exporters"]
        if signal not in {"traces", "metrics", "logs"}:
            yield f"service: {pipeline!r} is no pipeline"
        yield from unknown_keys(f"service.{pipeline}", mapping(parts), roles)
        for role in roles:
            named = names(mapping(parts).get(role))
            used[role].update(named)
            yield from (
                f"service.{pipeline}: {name!r} takes no {signal}"
                for name in named
                if signal not in SIGNALS.get(name.partition("/")[0], {signal})
            )
        if names(mapping(parts).get("processors"))[:1] != ["memory_limiter"]:
            yield f"service.{pipeline}: the memory limiter is not the first processor"
    for kind, those in used.items():
        for name in those ^ mapping(config.get(kind)).keys():
            yield f"{kind}: {name!r} is used and not there, or there and not used"


def storage_faults(part: object, where: str) -> Iterator[str]:
    """Say where a queue names a storage that is no extension."""
    for key, value in mapping(part).items():
        if key == "storage" and str(value) not in COMPONENTS["extensions"]:
            yield f"{where}: {value!r} is no storage"
        yield from storage_faults(value, f"{where}.{key}")


def unknown_keys(where: str, given: Mapping[str, object], known: object) -> Iterator[str]:
    """Say which keys nobody reads."""
    assert isinstance(known, (list, Mapping))
    yield from (f"{where}: {key!r} is no key" for key in given if key not in known)


def mapping(value: object) -> Mapping[str, object]:
    """Take what is no mapping as one without keys."""
    return value if isinstance(value, Mapping) else {}


def names(value: object) -> list[str]:
    """Take what is no list of names as one without names."""
    return [str(item) for item in value] if isinstance(value, list) else []
