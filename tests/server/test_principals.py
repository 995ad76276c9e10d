import os
from hashlib import sha256
from pathlib import Path

import pytest

from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.types_pb2 import Role
from domain import Rejected
from server.principals import Principals, PrincipalsError, load


def entry(name: str, token: str, *, roles: str = "agent") -> str:
    return f"  - {{name: {name}, roles: [{roles}], token_sha256: {sha256(token.encode()).hexdigest()}}}\n"


def bearer(token: str) -> list[tuple[str, str]]:
    return [("user-agent", "test"), ("authorization", f"Bearer {token}")]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "principals.yaml"
    path.write_text("principals:\n" + entry("amy", "a-secret") + entry("shop", "s-secret", roles="service"))
    return path


def rewrite(path: Path, text: str) -> None:
    """Replace the file, as an editor does."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.rename(path)


def test_a_token_tells_who_calls(file: Path) -> None:
    principal = Principals(file).authenticate(bearer("s-secret"))

    assert (principal.name, principal.roles) == ("shop", frozenset({Role.ROLE_SERVICE}))


@pytest.mark.parametrize(
    "metadata",
    [
        [],
        bearer("unknown"),
        bearer(""),
        bearer("a-secret "[:-2]),
        [("authorization", "a-secret")],
        [("authorization", "Basic a-secret")],
    ],
)
def test_a_call_that_nobody_can_be_held_to_is_refused(file: Path, metadata: list[tuple[str, str]]) -> None:
    with pytest.raises(Rejected) as caught:
        Principals(file).authenticate(metadata)

    assert caught.value.reason == RefusalReason.REFUSAL_REASON_UNKNOWN_PRINCIPAL


def test_an_empty_token_is_nobodys(file: Path) -> None:
    rewrite(file, "principals:\n" + entry("amy", ""))
    for metadata in (bearer(""), [("authorization", "Bearer")], [("authorization", "Bearer  ")]):
        with pytest.raises(Rejected):
            Principals(file).authenticate(metadata)


def test_a_principal_does_not_show_the_hash_of_its_token(file: Path) -> None:
    assert sha256(b"a-secret").hexdigest() not in repr(Principals(file).authenticate(bearer("a-secret")))


def test_a_changed_file_counts_at_once(file: Path) -> None:
    principals = Principals(file, look_every=0)
    rewrite(file, "principals:\n" + entry("ben", "b-secret"))

    assert principals.authenticate(bearer("b-secret")).name == "ben"
    with pytest.raises(Rejected):
        principals.authenticate(bearer("a-secret"))


def test_a_change_that_cannot_be_read_leaves_the_last_good_state(file: Path) -> None:
    principals = Principals(file, look_every=0)
    rewrite(file, "principals: [")

    assert principals.authenticate(bearer("a-secret")).name == "amy"


def test_a_file_that_is_gone_leaves_the_last_good_state(file: Path) -> None:
    principals = Principals(file, look_every=0)
    os.unlink(file)  # noqa: PTH108 - as a shell does

    assert principals.authenticate(bearer("a-secret")).name == "amy"


DIGEST = "0" * 64


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "principals"),
        ("principals: 3", "principals"),
        ("principals:\n  - amy", "no mapping"),
        (f"principals:\n  - {{roles: [agent], token_sha256: '{DIGEST}'}}", "name"),
        (f"principals:\n  - {{name: amy, roles: [boss], token_sha256: '{DIGEST}'}}", "boss"),
        (f"principals:\n  - {{name: amy, roles: [system], token_sha256: '{DIGEST}'}}", "system"),
        (f"principals:\n  - {{name: amy, roles: agent, token_sha256: '{DIGEST}'}}", "list of roles"),
        (f"principals:\n  - {{name: amy, roles: [], token_sha256: '{DIGEST}'}}", "empty"),
        (f"principals:\n  - {{name: amy, roles: [[agent]], token_sha256: '{DIGEST}'}}", "no role of a caller"),
        (f"principals:\n  - {{name: amy, roles: [{{a: b}}], token_sha256: '{DIGEST}'}}", "no role of a caller"),
        (f"principals:\n  - {{name: '', roles: [agent], token_sha256: '{DIGEST}'}}", "name"),
        (f"principals:\n  - {{name: 7, roles: [agent], token_sha256: '{DIGEST}'}}", "name"),
        (f"principals:\n  - {{name: 2026-13-45, roles: [agent], token_sha256: '{DIGEST}'}}", "principals"),
        ("principals:\n  - {name: amy, roles: [agent], token_sha256: secret}", "token_sha256"),
        (f"principals:\n  - {{name: amy, roles: [agent], token_sha256: '{DIGEST[1:]}'}}", "token_sha256"),
        (f"principals:\n  - {{name: amy, roles: [agent], token_sha256: '{DIGEST}0'}}", "token_sha256"),
        (f"principals:\n  - {{name: amy, roles: [agent], token_sha256: '{DIGEST[1:]}A'}}", "token_sha256"),
        (f"principals:\n  - {{name: amy, roles: [agent], token_sha256: {'1' * 64}}}", "token_sha256"),
        (f"principals:\n  - {{name: amy, roles: [agent], token: x, token_sha256: '{DIGEST}'}}", "'token'"),
        ("principals:\n" + entry("amy", "x") + entry("amy", "y"), "same name"),
        ("principals:\n" + entry("amy", "x") + entry("ben", "x"), "same token"),
        ("principals: [", "cannot be read"),
    ],
)
def test_a_file_that_says_something_wrong_is_refused_in_words(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "principals.yaml"
    path.write_text(text)

    with pytest.raises(PrincipalsError, match=what) as caught:
        load(path)
    assert str(path) in str(caught.value)
