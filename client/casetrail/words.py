"""The contract's enums as the words that people and YAML files use: KIND_INQUIRY is `inquiry`.

The literals are the words that a caller may write; a test holds them equal to the contract.
"""

from typing import Literal, Protocol, TypeVar

from google.protobuf.descriptor import EnumDescriptor

KindWord = Literal["inquiry", "complaint", "return", "incident", "drill"]
ChannelWord = Literal["chat", "app", "phone", "email", "social", "web"]
PriorityWord = Literal["low", "normal", "high", "urgent"]
StageWord = Literal[
    "opened",
    "accepted",
    "in_progress",
    "classified",
    "investigating",
    "proposed",
    "negotiating",
    "awaiting_approval",
    "carrying_out",
    "rejected",
    "awaiting_goods",
    "received",
    "resolved",
    "told",
    "confirmed",
    "dissatisfied",
    "closed",
    "declared",
    "graded",
    "contained",
    "followed_up",
    "retrospective",
]
CauseWord = Literal["customer", "vendor", "carrier", "department"]
LadderWord = Literal["team_lead", "supervisor", "director", "executive"]
RemedyWord = Literal["refund", "exchange", "repair", "compensation", "other"]
ReturnReasonWord = Literal["changed_mind", "quality", "wrong_item", "damaged", "not_received"]
ItemStateWord = Literal["unopened", "opened", "used", "faulty"]
RelationWord = Literal["related", "follows"]
PurposeWord = Literal[
    "acknowledgement",
    "reply",
    "proposal",
    "decision",
    "result",
    "survey",
    "parcel_stalled",
    "eligibility",
    "offer",
    "dissatisfaction",
    "incident",
    "incident_over",
]
CrisisWord = Literal["ordinary", "major", "critical"]
CommanderWord = Literal["incident_lead", "agent", "team_lead", "supervisor", "director", "executive"]


_V_co = TypeVar("_V_co", bound=int, covariant=True)


class Enum(Protocol[_V_co]):
    """What a generated enum offers."""

    DESCRIPTOR: EnumDescriptor

    def Value(self, name: str, /) -> _V_co:  # noqa: N802 - protobuf's name
        """The value of a full name such as KIND_INQUIRY."""


def value_of(enum: Enum[_V_co], word: str) -> _V_co:
    """The value that a word stands for; the empty word for `unspecified`.

    Raises:
        ValueError: The enum has no such word. The message lists those it has.
    """
    prefix = _prefix(enum.DESCRIPTOR)
    name = prefix + (word or "unspecified").upper()
    if name not in enum.DESCRIPTOR.values_by_name:
        known = ", ".join(words_of(enum.DESCRIPTOR))
        raise ValueError(f"'{word}' is not one of: {known}")
    return enum.Value(name)


def word_of(enum: EnumDescriptor, value: int) -> str:
    """The word of a value: empty for `unspecified`, the number for one that this version does not know."""
    known = enum.values_by_number.get(value)
    if known is None:
        return str(value)
    word = known.name.removeprefix(_prefix(enum)).lower()
    return "" if word == "unspecified" else word


def spoken(enum: EnumDescriptor, value: int) -> str:
    """The word of a value as people say it: `team lead`."""
    return spaced(word_of(enum, value))


def spaced(word: str) -> str:
    """A word of the contract or of a policy as people say it."""
    return word.replace("_", " ")


def words_of(enum: EnumDescriptor) -> list[str]:
    """All words of an enum, in its order."""
    return [word for word in (word_of(enum, value.number) for value in enum.values) if word]


def _prefix(enum: EnumDescriptor) -> str:
    return enum.values[0].name.removesuffix("UNSPECIFIED")
