"""What the server is told by its environment."""

import pytest

from server.settings import Settings


@pytest.mark.parametrize("address", ["127.0.0.1:7460", "[::1]:7460", "casetrail.example:0"])
def test_the_address_is_a_host_and_a_port(address: str) -> None:
    assert Settings.read({"CASETRAIL_ADDRESS": address}).address == address


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:", ":7460", "127.0.0.1:http", "127.0.0.1:65536"])
def test_what_is_none_is_refused_by_the_name_of_its_setting(address: str) -> None:
    with pytest.raises(ValueError, match="CASETRAIL_ADDRESS must be host:port"):
        Settings.read({"CASETRAIL_ADDRESS": address})
