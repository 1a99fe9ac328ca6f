"""What is hooked in this process: data for people and for tools."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """
    One worker found in this process.

    Attributes:
        package: Its import package.
        version: Its version, `unknown` where it does not tell.
        seam: How it is hooked, `registry` or `get_functions`; None where it is not.
        problem: What of it does not fit; None where all does.
        functions: The names of the functions that extensions run around, sorted.
    """

    package: str
    version: str
    seam: str | None
    problem: str | None
    functions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExtensionStatus:
    """
    One registered extension.

    Attributes:
        name: Its class name.
        function: The function that it applies to; None where it applies to all.
        hooks: What it defines, sorted.
        is_disabled: Whether `FUNCSCOPE_DISABLE` switches it off.
    """

    name: str
    function: str | None
    hooks: tuple[str, ...]
    is_disabled: bool


@dataclass(frozen=True, slots=True)
class Status:
    """
    The state of the hooks in this process.

    Attributes:
        workers: The workers found, by package; none outside a Functions worker.
        extensions: What is registered, app-level first.
        python_version: Such as `3.13.0`.
    """

    workers: tuple[WorkerStatus, ...]
    extensions: tuple[ExtensionStatus, ...]
    python_version: str

    @property
    def is_hooked(self) -> bool:
        """Whether extensions run around the functions of some worker."""
        return any(worker.seam is not None for worker in self.workers)

    def as_dict(self) -> dict[str, object]:
        """Return plain data, ready for JSON."""
        return asdict(self)

    def as_text(self) -> str:
        """Return the same for people, a fact a line."""
        lines = [f"Python {self.python_version}"]
        for worker in self.workers:
            how = f"hooked by its {worker.seam}" if worker.seam else "not hooked"
            lines.append(f"worker {worker.package} {worker.version}: {how}")
            lines += [f"  does not fit: {worker.problem}"] if worker.problem else []
            lines += [f"  function {name}" for name in worker.functions]
        if not self.workers:
            lines.append("no worker: this process is not a Functions worker")
        for extension in self.extensions:
            where = f"function {extension.function}" if extension.function else "all functions"
            off = ", switched off by FUNCSCOPE_DISABLE" if extension.is_disabled else ""
            hooks = ", ".join(extension.hooks) or "no hooks"
            lines.append(f"extension {extension.name} for {where}: {hooks}{off}")
        return "\n".join(lines)
