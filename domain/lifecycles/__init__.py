"""What each command means at each stage: the operating rules, one module a matter.

`[S0 3.2]` names the document, and its section, that a rule is from; `policies/default.yaml` lists them.
"""
