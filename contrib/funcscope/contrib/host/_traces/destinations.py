"""
Destinations of an app's signals: endpoints of the user's, or the local host's receiver.

Source of the variables: https://opentelemetry.io/docs/specs/otel/protocol/exporter/ and
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from funcscope.telemetry.integration import OtlpVariables

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, MutableMapping, Sequence

SIGNALS = ("traces", "logs", "metrics")

_RECEIVED_PROTOCOL = "http/protobuf"
_PROXY_EXEMPT = ("NO_PROXY", "no_proxy")


def chosen_endpoints(environment: Mapping[str, str]) -> dict[str, str]:
    """Return, by signal, the name of the variable with the user's endpoint for it."""
    endpoints = {signal: OtlpVariables(signal, environment).read("ENDPOINT") for signal in SIGNALS}
    return {signal: name for signal, (name, value) in endpoints.items() if value}


def describe_endpoints(environment: Mapping[str, str]) -> str:
    """Say which signals leave for endpoints of the user's, `""` where none do."""
    if _is_disabled(environment):
        return ""
    signals: dict[str, list[str]] = {}
    for signal, name in chosen_endpoints(environment).items():
        if _uses_otlp(environment, signal):
            signals.setdefault(name, []).append(signal)
    goals = [f"{_listed(s)} go to {environment[name]} ({name})" for name, s in signals.items()]
    return f"{', '.join(goals)}: they are not shown here" if goals else ""


def point_at_receiver(
    environment: MutableMapping[str, str], endpoint: str, signals: Sequence[str]
) -> str:
    """
    Make the exporters of some signals send to the receiver, in the protocol that it speaks.

    Returns:
        The user's settings that are overridden, in one line; `""` for none.
    """
    overridden: dict[str, str] = {}
    for signal in signals:
        variables = OtlpVariables(signal, environment)
        name, protocol = variables.read("PROTOCOL")
        if protocol and protocol.lower() != _RECEIVED_PROTOCOL:
            overridden[signal] = f"{name}={environment[name]}"
        environment[variables.own_name("ENDPOINT")] = f"{endpoint}/v1/{signal}"
        environment[variables.own_name("PROTOCOL")] = _RECEIVED_PROTOCOL
    if len(signals) == len(SIGNALS):  # then for apps that read these themselves, too
        environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
        environment["OTEL_EXPORTER_OTLP_PROTOCOL"] = _RECEIVED_PROTOCOL
    _exempt_from_proxies(environment)
    if not overridden:
        return ""
    return (
        f"{_listed(list(dict.fromkeys(overridden.values())))} overridden for "
        f"{_listed(list(overridden))}: "
        f"the local host receives {_RECEIVED_PROTOCOL}"
    )


def explain_silence(environment: Mapping[str, str], modules: Container[str]) -> str:
    """
    Say why no telemetry came to the receiver, `""` where that is not known.

    Args:
        environment: The app settings.
        modules: The names of what has been imported.
    """
    if "funcscope.auto" not in modules:
        return "no telemetry came: add `import funcscope.auto` as your app's first line"
    reasons = list(_silencing_settings(environment))
    return f"no telemetry came, as set by {_listed(reasons)}" if reasons else ""


def _silencing_settings(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the settings that keep spans away, and then those that keep other signals away, too."""
    if _is_disabled(environment):
        yield f"OTEL_SDK_DISABLED={environment['OTEL_SDK_DISABLED']}"
        return
    sampler = environment.get("OTEL_TRACES_SAMPLER", "").strip()
    is_unsampled = sampler.lower() == "always_off"
    if is_unsampled:
        yield f"OTEL_TRACES_SAMPLER={sampler}"
    elif _uses_otlp(environment, "traces"):
        return
    for signal in SIGNALS:
        if not _uses_otlp(environment, signal):
            yield f"{_exporter(signal)}={environment[_exporter(signal)]}"


def _exporter(signal: str) -> str:
    return f"OTEL_{signal.upper()}_EXPORTER"


def _uses_otlp(environment: Mapping[str, str], signal: str) -> bool:
    """Tell whether a signal is exported by OTLP, which an unset variable means, too."""
    exporters = environment.get(_exporter(signal), "").strip().lower()
    return not exporters or "otlp" in [name.strip() for name in exporters.split(",")]


def _is_disabled(environment: Mapping[str, str]) -> bool:
    return environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def _exempt_from_proxies(environment: MutableMapping[str, str]) -> None:
    """Keep exporters from asking a proxy for this machine."""
    for name in _PROXY_EXEMPT:
        hosts = environment.get(name, "")
        if "127.0.0.1" not in hosts:
            environment[name] = f"{hosts},127.0.0.1".removeprefix(",")


def _listed(words: Sequence[str]) -> str:
    """Join words: `a, b and c`."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
