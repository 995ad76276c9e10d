"""A file of secret keys: one that is not quite right is not used at all."""

from base64 import b64encode
from pathlib import Path

import pytest

from casetrail.key_file import KEY_BYTES, KeyFile, KeyFileError

ONE, TWO = (b64encode(bytes([each]) * KEY_BYTES).decode() for each in (1, 2))
SHORT = b64encode(bytes(KEY_BYTES - 1)).decode()


def key_file(folder: Path, text: str, mode: int = 0o600) -> KeyFile:
    path = folder / "keys"
    path.write_text(text)
    path.chmod(mode)
    return KeyFile(path, "payload-key", "payloads are encrypted with it")


def test_keys_are_read_by_their_ids_the_newest_last(tmp_path: Path) -> None:
    read = key_file(tmp_path, f"payload-key k2 {TWO}\n\npayload-key k1 {ONE}\n").read()
    assert list(read.items()) == [("k2", bytes([2]) * KEY_BYTES), ("k1", bytes([1]) * KEY_BYTES)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no key"),
        ("\n\n", "holds no key"),
        (f"subject-key k1 {ONE}\n", "is no file of keys that begin with payload-key"),
        (f"payload-key {ONE}\n", "is no file of keys"),
        (f"payload-key k1 x {ONE}\n", "is no file of keys"),
        (f"payload-key k1 {SHORT}\n", "is no file of keys"),
        (f"payload-key k1 {ONE}!\n", "is no file of keys"),
        (f"payload-key k1 {ONE}\nnote\n", "is no file of keys"),
        (f"payload-key ké {ONE}\n", "is no file of keys"),
    ],
)
def test_what_is_no_file_of_such_keys_is_refused(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=words):
        key_file(tmp_path, text).read()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o610])
def test_a_file_that_others_may_touch_is_refused(mode: int, tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="can be read by others: `chmod 600"):
        key_file(tmp_path, f"payload-key k1 {ONE}\n", mode).read()


def test_a_file_that_is_missing_is_to_be_restored(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="is missing, and payloads are encrypted with it: restore it"):
        KeyFile(tmp_path / "keys", "payload-key", "payloads are encrypted with it").read()
