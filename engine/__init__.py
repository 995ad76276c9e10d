"""Load, decide, append, answer: commands and the passing of time against the log."""
