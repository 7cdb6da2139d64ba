"""The files of a checkpoint, and whether they are as they were written.

``state.pt`` holds the weights, ``manifest.json`` their size and SHA-256, and a seal: the SHA-256 of the manifest itself
with an empty seal. Neither hash has a key: they show damage, not a forgery.
"""

import os
import re

import msgspec

from alexnet_tui.errors import StoreError
from alexnet_tui.files import sha256_of
from alexnet_tui.folder import Folder
from alexnet_tui.json_io import UNDECODABLE

MANIFEST_FILE, WEIGHTS_FILE = "manifest.json", "state.pt"
_NO_SEAL = b'"seal":""'
_SEAL = re.compile(rb'"seal":"([0-9a-f]{64})"')


class _WeightsHash(msgspec.Struct, frozen=True):
    """What a manifest says of the weights, in every version of the format."""

    size_bytes: int
    sha256: str


def sealed(manifest: bytes) -> bytes:
    """A manifest in JSON with its seal in the place of an empty one."""
    return manifest.replace(_NO_SEAL, b'"seal":"%s"' % sha256_of(manifest).encode(), 1)


def is_sealed(manifest: bytes) -> bool:
    """Whether a manifest in JSON is as it was when it was sealed."""
    found = _SEAL.search(manifest)
    return found is not None and sealed(manifest[: found.start()] + _NO_SEAL + manifest[found.end() :]) == manifest


def is_whole(checkpoint: Folder) -> bool:
    """Whether manifest and weights in a checkpoint's folder are as they were written."""
    import hashlib  # Loads OpenSSL.

    try:
        manifest = checkpoint.read(MANIFEST_FILE) or b""
        said = msgspec.json.decode(manifest, type=_WeightsHash)
        descriptor = checkpoint.open(WEIGHTS_FILE)
    except (StoreError, *UNDECODABLE):
        return False
    if descriptor is None:
        return False
    with os.fdopen(descriptor, "rb") as weights:
        has_size = os.fstat(descriptor).st_size == said.size_bytes
        return has_size and is_sealed(manifest) and hashlib.file_digest(weights, "sha256").hexdigest() == said.sha256
