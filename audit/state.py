"""What a look at a log's database finds, for whoever administers it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class State:
    """The state of a database.

    Attributes:
        database: Its kind and version.
        schema: Of its tables; empty where there are none.
        newest: The schema that this version of Casetrail works with.
        log: The log's id.
        events: How many there are.
        warnings: What ought to be otherwise.
    """

    database: str
    schema: str
    newest: str
    log: str = ""
    events: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def advice(self) -> str:
        """What is to be done before Casetrail can work with it; empty where nothing is."""
        if not self.schema:
            return "there are no tables yet: run `casetrail-db init`"
        if self.schema < self.newest:
            return f"the schema is older than {self.newest}, which this Casetrail needs: run `casetrail-db upgrade`"
        if self.schema > self.newest:
            return f"the schema is newer than {self.newest}, which this Casetrail knows: run the newer one"
        return ""
