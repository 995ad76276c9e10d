"""What is seen from outside: log lines, spans and metrics of every process, set up in one call.

Nothing here ever holds what a customer said: log lines and spans carry numbers, ids and the types of errors.
"""

from telemetry.calls import observed_call
from telemetry.export import Telemetry, start
from telemetry.gauges import LogGauges, ProofGauges, watch_certificate
from telemetry.spans import observed, span

__all__ = ["LogGauges", "ProofGauges", "Telemetry", "observed", "observed_call", "span", "start", "watch_certificate"]
