"""Exports: for auditors (JSON lines with proofs), for tables (Parquet), and for process mining (XES, OCEL 2.0)."""
