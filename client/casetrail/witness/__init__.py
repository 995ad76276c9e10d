"""A witness: co-signs the checkpoints of logs, so that none of them can show two histories (C2SP tlog-witness).

A program of its own, `casetrail-witness`, to be run by somebody else than the log, on another machine. It needs
`cryptography`: install `casetrail[witness]`.
"""
