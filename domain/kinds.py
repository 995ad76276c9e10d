"""Kinds of case that share rules."""

from casetrail.v1.types_pb2 import Kind

Kinds = frozenset[Kind.ValueType]

INQUIRY: Kinds = frozenset({Kind.KIND_INQUIRY})
COMPLAINT: Kinds = frozenset({Kind.KIND_COMPLAINT})
RETURN: Kinds = frozenset({Kind.KIND_RETURN})
INCIDENT: Kinds = frozenset({Kind.KIND_INCIDENT})
DRILL: Kinds = frozenset({Kind.KIND_DRILL})

# Those that end with a settlement.
SETTLED: Kinds = COMPLAINT | RETURN
# Those of customers.
CUSTOMERS: Kinds = INQUIRY | SETTLED
ALL: Kinds = CUSTOMERS | INCIDENT | DRILL
