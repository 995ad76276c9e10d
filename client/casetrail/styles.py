"""How what happened looks on a terminal: the heavier, the louder."""

from collections.abc import Mapping

from casetrail.sentences import Weight

STYLES: Mapping[Weight, str] = {
    Weight.QUIET: "dim",
    Weight.PLAIN: "",
    Weight.SPOKEN: "cyan",
    Weight.GOOD: "green",
    Weight.WARNING: "yellow",
    Weight.BAD: "bold red",
}
