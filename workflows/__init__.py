"""The long-running work of each lifecycle, over one shared clockwork."""
