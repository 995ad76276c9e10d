"""Generated from proto/casetrail/v1 by scripts/generate.py. Do not edit."""

from casetrail.v1 import types_pb2, incident_pb2, effect_pb2, scenario_pb2, errors_pb2

# protobuf looks an enum's value up in its descriptor whenever it is named, for a microsecond: from here on it is there.
for _module in (types_pb2, incident_pb2, effect_pb2, scenario_pb2, errors_pb2):
    for _name in _module.DESCRIPTOR.enum_types_by_name:
        _enum = getattr(_module, _name)
        vars(_enum).update(_enum.items())
