"""Where a data set is fetched from, as the user names it."""

import re
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from cxrkit.data import kaggle, published, transfers
from cxrkit.data.published import Counts
from cxrkit.errors import InputError

_ALLOWED = "kaggle, kaggle:OWNER/NAME, mendeley, an http(s) address, the path of an archive"
_SHA256 = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)


class Origin(NamedTuple):
    """Where a data set comes from: one of a Kaggle handle, an address and an archive at hand.

    Attributes:
        name: as it is told and kept.
        handle: of a data set of Kaggle.
        url: of an archive.
        archive: a file at hand.
        sha256: of the archive, where it is known.
        published: the counts that the set must have, where they are known beforehand.
    """

    name: str
    handle: str | None = None
    url: str | None = None
    archive: Path | None = None
    sha256: str | None = None
    published: Counts | None = None


def origin_of(source: str, sha256: str | None) -> Origin:
    """Read what the user calls a source.

    Args:
        source: ``kaggle``, ``kaggle:OWNER/NAME``, ``mendeley``, an http(s) address, or the path of an archive.
        sha256: of the archive, in place of what is known of it.

    Raises:
        InputError: it is none of them, or the hash is no SHA-256 or of no use.
    """
    if sha256 is not None and not _SHA256.fullmatch(sha256):
        raise InputError(f'--sha256: "{sha256}" is no SHA-256, allowed are 64 hexadecimal digits')
    wanted = sha256.lower() if sha256 else None
    word, _, handle = source.partition(":")
    if word == "kaggle":
        if wanted:
            raise InputError("--sha256: kagglehub checks what it fetches, allowed with an archive")
        kaggle.check_handle(handle or kaggle.DEFAULT)
        known = published.KAGGLE if handle in ("", kaggle.DEFAULT) else None
        return Origin(f"kaggle:{handle or kaggle.DEFAULT}", handle=handle or kaggle.DEFAULT, published=known)
    if source == "mendeley":
        wanted = wanted or published.MENDELEY_SHA256
        return Origin(source, url=published.MENDELEY_URL, sha256=wanted, published=published.MENDELEY)
    if "://" in source:
        transfers.check_address(source)
        return Origin(transfers.told(source), url=source, sha256=wanted)
    return Origin(_archive_name(source), archive=Path(source), sha256=wanted)


def _archive_name(source: str) -> str:
    path = Path(source)
    if path.is_dir():
        raise InputError(f'{source}: is a folder, which needs no download: [data] root = "{path.as_posix()}"')
    if not path.is_file():
        near = get_close_matches(source, ("kaggle", "mendeley"), n=1)
        allowed = f'did you mean "{near[0]}"?' if near else f"allowed are {_ALLOWED}"
        raise InputError(f"{source}: no such file, {allowed}")
    return path.name
