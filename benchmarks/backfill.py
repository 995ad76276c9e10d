"""How fast history is imported: the sample log, played by the CLI as anybody would."""

import json
from typing import Final

from benchmarks import programs
from benchmarks.bench import Bench
from benchmarks.figures import Figure, Section
from benchmarks.processes import ROOT

_EXAMPLES: Final = ROOT / "examples"


async def measure(bench: Bench) -> Section:
    """Import the sample.

    Raises:
        BenchmarkError: The CLI failed.
    """
    output = await programs.run(
        *("casetrail", "play", str(_EXAMPLES / "servicenow_sample.csv")),
        *("--mapping", str(_EXAMPLES / "servicenow.yaml"), "--backfill", "--json"),
        environment={"CASETRAIL_ADDRESS": bench.stack.address, "CASETRAIL_TOKEN": bench.stack.token},
    )
    summary = json.loads(output)
    seconds = summary["seconds"]
    return Section(
        "Importing history: the sample log, by `casetrail play --backfill`",
        (
            Figure("rows", summary["rows"] / seconds, "rows/s"),
            Figure("events", summary["events"] / seconds, "events/s"),
        ),
        notes=(f"{summary['cases']} cases, {summary['rows']:,} rows, {summary['events']:,} events.",),
    )
