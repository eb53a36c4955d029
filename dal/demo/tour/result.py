"""What a step found: figures to show, and checks that hold or do not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be so."""

    name: str
    ok: bool


@dataclass(slots=True)
class StepResult:
    """One step of the tour: `figures` are printed in order, as they are worded here."""

    title: str
    figures: dict[str, str] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every check holds."""
        return all(check.ok for check in self.checks)

    def check(self, name: str, *, ok: bool) -> None:
        """Note that *name* is so, or is not."""
        self.checks.append(Check(name, ok))

    def show(self, name: str, figure: object) -> None:
        """Add a figure."""
        self.figures[name] = str(figure)


@dataclass(slots=True)
class TourResult:
    """The whole tour."""

    scale: float
    server: str = ""
    steps: list[StepResult] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every step's every check holds."""
        return all(step.ok for step in self.steps)

    @property
    def seconds(self) -> float:
        """How long the steps took together."""
        return sum(step.seconds for step in self.steps)

    def as_dict(self) -> dict[str, Any]:
        """Give the result as JSON's types."""
        return {
            "ok": self.ok,
            "scale": self.scale,
            "server": self.server,
            "seconds": round(self.seconds, 2),
            "steps": [
                {
                    "title": step.title,
                    "ok": step.ok,
                    "seconds": round(step.seconds, 2),
                    "figures": step.figures,
                    "checks": {check.name: check.ok for check in step.checks},
                }
                for step in self.steps
            ],
        }
