"""Generated from proto/casetrail/v1 by scripts/generate.py. Do not edit."""
