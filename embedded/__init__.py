"""Stand-ins for the systems around Casetrail, for demos, drills and tests: real sockets, loopback only."""
