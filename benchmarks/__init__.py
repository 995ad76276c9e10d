"""What Casetrail costs: throughput and latency, measured on one machine, as ratios within one run where possible."""
