"""How far a process has seen the log come: where it finds less, an older copy was put in the log's place."""

from audit.log import LogDamagedError


class Furthest:
    """The size that a writer has found the log with, or left it with, last."""

    def __init__(self, name: str) -> None:
        """Nothing is known yet of the log that errors call so."""
        self._name = name
        self._size = 0

    def reached(self, size: int) -> None:
        """Note how many events the log has now, as found under its lock or just committed.

        Raises:
            LogDamagedError: It had more before. What was acknowledged since is not there, and its places in the log
                must not be given to something else.
        """
        if size < self._size:
            raise LogDamagedError(
                f"the log {self._name} has {size} events, and had {self._size}: an older copy was put in its place. "
                "Put the newest one back; where that is lost, start all processes anew"
            )
        self._size = size
