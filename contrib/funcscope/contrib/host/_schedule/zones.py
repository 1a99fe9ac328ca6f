"""Time zones of schedules: the one of `WEBSITE_TIME_ZONE`, else the machine's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from funcscope.contrib.host._errors import HostError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

SETTING = "WEBSITE_TIME_ZONE"


@dataclass(frozen=True, slots=True)
class Zone:
    """
    A time zone.

    Attributes:
        name: As messages name it.
        rules: None for the machine's own.
    """

    name: str
    rules: tzinfo | None

    def local(self, instant: datetime) -> datetime:
        """Return the local time of an instant, with its offset."""
        return instant.astimezone(self.rules)

    def instants(self, local: datetime) -> tuple[datetime, datetime]:
        """
        Return the instants in UTC at which clocks show a naive local time.

        Both are the same but where clocks are changed: where the time comes twice, the first is
        the earlier one; where it is left out, the first is as long after the change as it is.
        """
        first, second = (
            local.replace(tzinfo=self.rules, fold=fold).astimezone(timezone.utc) for fold in (0, 1)
        )
        return first, second

    def comes_twice(self, local: datetime) -> bool:
        """Tell whether clocks show a naive local time twice, as they are set back."""
        first, second = self.instants(local)
        return first < second


UTC = Zone("UTC", timezone.utc)


def zone_of(settings: Mapping[str, str]) -> Zone:
    """
    Return the time zone of an app's schedules.

    The machine's is what Azure Functions Core Tools goes by; Azure itself is at UTC.

    Raises:
        HostError: The setting names none.
    """
    name = settings.get(SETTING, "")
    if not name:
        return Zone("this machine's time zone", None)
    try:
        return Zone(name, ZoneInfo(name))
    except (KeyError, ValueError, OSError) as error:
        raise HostError(
            f"{SETTING} is {name!r}: Azure runs Python on Linux, "
            "where it is an IANA name such as 'Europe/Berlin'"
        ) from error
