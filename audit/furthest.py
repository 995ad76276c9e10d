"""How far a process has seen the log come: where it finds less, an older copy was put in the log's place."""

from audit.log import LogDamagedError
from audit.merkle import Frontier


class Furthest:
    """The tree that a writer has found in the log, or left there, last."""

    def __init__(self, name: str) -> None:
        """Nothing is known yet of the log that errors call so."""
        self._name = name
        self._tree = Frontier()

    def reached(self, tree: Frontier) -> None:
        """Note what the log's tree is now, as found under its lock or just committed.

        Raises:
            LogDamagedError: It does not go on from the last one. What was acknowledged is not there, and its places in
                the log must not be given to something else.
        """
        if tree.size < self._tree.size:
            raise LogDamagedError(
                f"the log {self._name} has {tree.size} events, and had {self._tree.size}: an older copy was put in its "
                "place. Put the newest one back; where that is lost, start all processes anew"
            )
        if tree.size == self._tree.size and tree != self._tree:
            raise LogDamagedError(
                f"the log {self._name} of {tree.size} events is not the one that this process left: an older copy was "
                "put in its place, and continued. Put the right one back; where that is lost, start all processes anew"
            )
        self._tree = tree
