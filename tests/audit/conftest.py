"""The contract is no test module by its name; pytest is to explain its failures all the same."""

import pytest

pytest.register_assert_rewrite(
    "tests.audit.archive_contract",
    "tests.audit.contract",
    "tests.audit.erasure_contract",
    "tests.audit.given",
    "tests.audit.tree_contract",
)
