"""The pure core: what a command or the passing of time means for a case. No I/O, no clock, no randomness."""

from domain.decide import act, decide
from domain.effects import pending_effects
from domain.evolve import evolve, fold
from domain.passing import expire, next_wake
from domain.refusal import Rejected
from domain.rulebook import Rulebook

__all__ = [
    "Rejected",
    "Rulebook",
    "act",
    "decide",
    "evolve",
    "expire",
    "fold",
    "next_wake",
    "pending_effects",
]
