"""A database on the server for one test, and contracts whose failures are explained.

A contract is no test module by its name; pytest is to explain its failures all the same.
"""

from collections.abc import Iterator

import pytest

from tests.postgres_server import Databases

pytest.register_assert_rewrite(
    "tests.audit.archive_contract",
    "tests.audit.contract",
    "tests.audit.erasure_contract",
    "tests.audit.given",
    "tests.audit.past_the_guards",
    "tests.audit.sharing_contract",
    "tests.audit.tampering_contract",
    "tests.audit.tree_contract",
)


@pytest.fixture
def server_url(new_database: Databases) -> Iterator[str]:
    """A database whose tables a test may change: nobody uses it again."""
    made = new_database()
    yield made
    new_database.give_back(made, as_it_was=False)
