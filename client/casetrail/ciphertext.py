"""Ciphertexts by AES-GCM: the nonce in front, and bound to the place where they belong."""

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES: Final = 12


def encrypted(cipher: AESGCM, text: bytes, place: str) -> bytes:
    """Encrypt a text for a place."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, text, place.encode())


def decrypted(cipher: AESGCM, ciphertext: bytes, place: str) -> bytes:
    """Decrypt what `encrypted` made with the same key for the same place.

    Raises:
        ValueError: It is no such thing.
    """
    try:
        return cipher.decrypt(ciphertext[:_NONCE_BYTES], ciphertext[_NONCE_BYTES:], place.encode())
    except InvalidTag as error:
        raise ValueError("the ciphertext is of another key, of another place, or was changed") from error
