"""Measurements that the SDK holds in this process, which has no public way to them."""

from __future__ import annotations

import threading
from typing import Any


def forget_measurements(provider: Any) -> None:  # private parts of the SDK's (1.45)
    """Measure from zero on, in a forked child."""
    consumer = getattr(provider, "_measurement_consumer", None)
    if consumer is None:
        return
    consumer._lock = threading.Lock()  # noqa: SLF001
    for reader in list(consumer._reader_storages):  # noqa: SLF001
        reader._export_lock = threading.Lock()  # noqa: SLF001
        _begin_anew(consumer, reader)


def _begin_anew(consumer: Any, reader: Any) -> None:
    """Give a reader a storage that is empty, as the SDK does where it can (since 1.43)."""
    if hasattr(consumer, "add_metric_reader"):
        consumer.add_metric_reader(reader)
        return
    storage: Any = consumer._reader_storages[reader]  # noqa: SLF001
    consumer._reader_storages[reader] = storage.__class__(  # noqa: SLF001
        consumer._sdk_config,  # noqa: SLF001
        reader._instrument_class_temporality,  # noqa: SLF001
        reader._instrument_class_aggregation,  # noqa: SLF001
    )


def has_measurements(provider: Any) -> bool:  # private parts of the SDK's (1.45)
    """Tell whether anything was measured since; True where that cannot be told."""
    try:
        storages = provider._measurement_consumer._reader_storages.values()  # noqa: SLF001
        return any(storage._instrument_view_instrument_matches for storage in storages)  # noqa: SLF001
    except AttributeError:
        return True
