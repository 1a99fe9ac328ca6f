"""
Providers that others have set: whose they are, and where they send to.

Loaded where somebody has set one. They are asked once, before the first invocation, by what they
are made of in SDK 1.40 to 1.45, Logfire 5.4 and azure-monitor-opentelemetry-exporter 1.0.0b58.

docs/decisions/050 says why.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_OWNERS: Mapping[str, str] = {
    "azure.monitor": "Azure Monitor's distro",
    "ddtrace": "Datadog's tracer",
    "logfire": "Logfire",
    # Not its instrumentations, which bring processors to anybody's provider.
    "microsoft.opentelemetry._genai.main_agent": "Microsoft's distro",
    "newrelic": "New Relic's agent",
    "sentry_sdk": "Sentry's SDK",
}
"""By the package or module that a provider or one of its processors comes from."""

OWN = "the app's own"
"""How the name of an owner begins that is nobody of these."""

_KINDS: Mapping[str, str] = {
    "OTLP": "otlp",
    "Console": "console",
    "AzureMonitor": "azuremonitor",
}
"""How the names of exporters' classes begin, and what settings call them."""

_HOLDERS = (
    "provider",  # of Logfire's proxies
    "_active_span_processor",
    "_multi_log_record_processor",
    "_span_processors",
    "_log_record_processors",
    "_metric_readers",
    "_sdk_config",  # of a meter provider, before SDK 1.43
    "metric_readers",
    "_batch_processor",
    "processor",
    "span_exporter",
    "_exporter",
    "exporter",
    "wrapped_exporter",
)
_MOST = 64  # parts of a provider that are looked at


class Exporter(NamedTuple):
    """
    An exporter of somebody else's.

    Attributes:
        name: Its class's.
        kind: What settings call it; empty where they know none like it.
        target: Its endpoint, or Azure Monitor's instrumentation key; empty where it tells neither.
    """

    name: str
    kind: str
    target: str


class OthersProvider(NamedTuple):
    """
    A provider that somebody has set before the first invocation.

    Attributes:
        owner: Whose it is, for people.
        exporters: What sends from it, as far as it shows.
        takes_processors: Whether more processors of spans can be added.
        gets_records: Whether a handler brings it what is logged.
    """

    owner: str
    exporters: tuple[Exporter, ...] = ()
    takes_processors: bool = False
    gets_records: bool = True

    @property
    def name(self) -> str:
        """Whose it is, with its exporters."""
        names = ", ".join(sorted({exporter.name for exporter in self.exporters}))
        return f"{self.owner} with {names}" if names else self.owner

    def has(self, name: str) -> bool:
        """Tell whether it has an exporter of settings; one that we do not know may be any."""
        return bool(self.of_kind(name) if name in _KINDS.values() else self.exporters)

    def is_all(self, kind: str) -> bool:
        """Tell whether it has exporters, and each is one that settings call so."""
        return bool(self.exporters) and len(self.of_kind(kind)) == len(self.exporters)

    def of_kind(self, kind: str) -> list[Exporter]:
        """Return its exporters that settings call so."""
        return [exporter for exporter in self.exporters if exporter.kind == kind]


def describe(provider: object, noun: str) -> OthersProvider:
    """
    Describe a provider that somebody has set, as far as its objects do not raise.

    Args:
        provider: A provider of the SDK's, or any other.
        noun: Which one, for people: `tracer`, `logger` or `meter`.
    """
    parts: list[object] = [provider]
    exporters: list[Exporter] = []
    with suppress(Exception):  # of somebody's objects
        for part, holds_more in _parts(provider):
            exporter = _exporter(part)
            if exporter is None:
                parts.append(part)
            elif not holds_more:
                exporters.append(exporter)
    takes_processors = callable(getattr(type(provider), "add_span_processor", None))
    return OthersProvider(_owner(parts, noun), tuple(exporters), takes_processors)


def _parts(provider: object) -> Iterator[tuple[object, bool]]:
    """Walk what a provider is made of; tell of each part whether it holds more."""
    parts = [provider]
    for part in parts:  # which grows
        held: list[object] = []
        for name in _HOLDERS:
            each: object = getattr(part, name, None)
            if each is not None:
                is_many = isinstance(each, (tuple, list))
                held.extend(cast("list[object]", each) if is_many else (each,))
        yield part, bool(held)
        known = {id(each) for each in parts}
        parts.extend({id(e): e for e in held if id(e) not in known}.values())
        del parts[_MOST:]


def _owner(parts: list[object], noun: str) -> str:
    for part in parts:
        for package, owner in _OWNERS.items():
            if f"{type(part).__module__}.".startswith(f"{package}."):
                return owner
    kind = type(parts[0])
    if kind.__module__.startswith("opentelemetry.sdk."):
        return f"{OWN} {noun} provider"
    return f"{kind.__module__}.{kind.__qualname__}"


def _exporter(part: object) -> Exporter | None:
    names = [kind.__name__ for kind in type(part).__mro__]
    if not any(name.endswith("Exporter") for name in names):
        return None
    kinds = (_KINDS[prefix] for prefix in _KINDS for name in names if name.startswith(prefix))
    targets = (getattr(part, name, None) for name in ("_instrumentation_key", "_endpoint"))
    target = next((each for each in targets if isinstance(each, str)), "")
    return Exporter(names[0], next(kinds, ""), target)
