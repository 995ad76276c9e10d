"""Reports that follow from the log alone: events in, a document out; the same events, the same bytes."""
