"""The contract's enums in words: ROLE_TEAM_LEAD is `team_lead` for programs, and `team lead` in a sentence."""

from typing import Protocol, TypeVar

from google.protobuf.descriptor import EnumDescriptor

_V_contra = TypeVar("_V_contra", contravariant=True)


class Enum(Protocol[_V_contra]):
    """What a generated enum offers."""

    DESCRIPTOR: EnumDescriptor

    def Name(self, number: _V_contra, /) -> str:  # noqa: N802 - protobuf's name
        """The full name of a value, such as ROLE_TEAM_LEAD."""


def word(enum: Enum[_V_contra], value: _V_contra) -> str:
    """A value by its name without the enum's, for example `team_lead`."""
    return enum.Name(value).removeprefix(prefix_of(enum.DESCRIPTOR)).lower()


def words(enum: Enum[_V_contra], value: _V_contra) -> str:
    """The same as people say it, for example `team lead`."""
    return word(enum, value).replace("_", " ")


def prefix_of(enum: EnumDescriptor) -> str:
    """What all names of an enum's values begin with, for example `ROLE_`."""
    return enum.values[0].name.removesuffix("UNSPECIFIED")
