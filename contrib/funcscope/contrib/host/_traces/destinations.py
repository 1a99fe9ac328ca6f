"""
Ways of an app's signals: to the local host's receiver, from there to endpoints of the user's.

Source of the variables: https://opentelemetry.io/docs/specs/otel/protocol/exporter/ and
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from funcscope.telemetry import TelemetryError
from funcscope.telemetry.integration import OtlpTarget, OtlpVariables, read_target, split_url

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, MutableMapping, Sequence

SIGNALS = ("traces", "logs", "metrics")

_GRPC_PORT = 4317
_RECEIVED_PROTOCOL = "http/protobuf"
_PROXY_EXEMPT = ("NO_PROXY", "no_proxy")


class Routes(NamedTuple):
    """
    Ways that an app's signals take.

    Attributes:
        received: The signals that the local host receives.
        forwarded: Endpoints of the user's that get what is received.
        lines: What to say of this.
    """

    received: tuple[str, ...]
    forwarded: tuple[OtlpTarget, ...]
    lines: tuple[str, ...]


def find_routes(environment: Mapping[str, str]) -> Routes:
    """
    Decide which signals are received, and which of these are handed on.

    A signal with an endpoint of the user's is handed on where that speaks OTLP over HTTP. Where
    it does not, as with gRPC, it is left alone.
    """
    endpoints = _chosen_endpoints(environment)
    direct = {signal: name for signal, name in endpoints.items() if _is_direct(environment, signal)}
    received = tuple(signal for signal in SIGNALS if signal not in direct)
    targets: dict[str, OtlpTarget] = {}
    problems: list[str] = []
    for signal in (signal for signal in endpoints if signal not in direct):
        try:
            targets[signal] = read_target(signal, environment, problems)
        except TelemetryError as error:
            problems.append(f"{signal} are shown here alone: {error}")
    if _is_disabled(environment):
        return Routes(received, (), ())
    lines = [
        _describe(environment, direct, "go to {} directly: they are not shown here"),
        _describe(environment, {s: endpoints[s] for s in targets}, "are shown here, and go to {}"),
        *sorted(set(problems)),
    ]
    forwarded = tuple(targets[signal] for signal in SIGNALS if signal in targets)
    return Routes(received, forwarded, tuple(filter(None, lines)))


def _chosen_endpoints(environment: Mapping[str, str]) -> dict[str, str]:
    """Return, by signal, the name of the variable with the user's endpoint for it."""
    endpoints = {signal: OtlpVariables(signal, environment).read("ENDPOINT") for signal in SIGNALS}
    return {signal: name for signal, (name, value) in endpoints.items() if value}


def _is_direct(environment: Mapping[str, str], signal: str) -> bool:
    """Tell whether a signal goes by gRPC: as the protocol says, else gRPC's own port."""
    variables = OtlpVariables(signal, environment)
    _, protocol = variables.read("PROTOCOL")
    if protocol:
        return protocol.lower() != _RECEIVED_PROTOCOL
    url = split_url(variables.read("ENDPOINT")[1])
    return url is not None and url.port == _GRPC_PORT


def _describe(environment: Mapping[str, str], names: Mapping[str, str], text: str) -> str:
    """Say of the signals that are exported where they go, each endpoint once."""
    signals: dict[str, list[str]] = {}
    for signal in SIGNALS:
        if signal in names and _uses_otlp(environment, signal):
            signals.setdefault(names[signal], []).append(signal)
    goals = [
        f"{_listed(s)} {text.format(f'{shown_endpoint(environment[name])} ({name})')}"
        for name, s in signals.items()
    ]
    return ", ".join(goals)


def shown_endpoint(url: str) -> str:
    """Return a URL for people to read, without what may be secret in it."""
    parts = split_url(url.strip())
    if parts is None:
        return "what is no URL"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


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
