"""What injects are, as commands: incidents declared, customers who turn up, messages."""

from casetrail.v1.case_pb2 import Case, Customer
from casetrail.v1.command_pb2 import AddNote, Command, Declaration, Open, ReceiveMessage
from casetrail.v1.inject_pb2 import Inject, WaveInject
from casetrail.v1.types_pb2 import Actor, Kind, Role, Words

MONITORING = Actor(name="monitoring", role=Role.ROLE_SERVICE)
"""Who declares the incidents of a script."""

CUSTOMER = Actor(name="customer", role=Role.ROLE_CUSTOMER)


def declaration(inject: Inject) -> Open:
    """The opening of the incident that an inject declares."""
    declared = inject.declare
    return Open(
        kind=Kind.KIND_INCIDENT,
        channel=declared.channel,
        category=declared.category,
        product_id=declared.product_id,
        subject=declared.subject,
        incident=Declaration(suspected_level=declared.suspected_level, crisis=declared.crisis),
    )


def customer_turns_up(wave: WaveInject, number: int) -> Open:
    """The opening of one case of a wave."""
    return Open(
        kind=wave.kind,
        channel=wave.channel,
        category=wave.category,
        product_id=wave.product_id,
        subject=wave.subject,
        words=Words(text=wave.text),
        # A customer who does not exist, at an address that nobody can have (RFC 2606).
        customer=Customer(customer_id=f"drill-{number + 1}", email=f"customer-{number + 1}@drill.invalid"),
    )


def wave_offset(wave: WaveInject, number: int) -> int:
    """How long after the first customer of a wave another one turns up, in seconds."""
    return wave.over.seconds * number // wave.count


def message_to(case: Case, inject: Inject) -> Command:
    """What somebody says in a case: its customer, or for an incident somebody outside."""
    message = inject.message
    if case.kind == Kind.KIND_INCIDENT:
        text = f"{message.sender}: {message.text}" if message.sender else message.text
        note = AddNote(words=Words(text=text))
        return Command(case_id=case.case_id, actor=Actor(name="drill", role=Role.ROLE_SERVICE), note=note)
    said = ReceiveMessage(words=Words(text=message.text))
    return Command(case_id=case.case_id, actor=CUSTOMER, receive_message=said)
