"""Objects of one bucket (the extra ``cloud``): the only module that imports obstore.

Requests that fail for a passing reason (slow answers, 5xx, lost connections, truncated bodies) are
repeated with growing pauses, by obstore and, around it, here. Messages never repeat the text of the
library, which may contain credentials.
"""

from __future__ import annotations

import errno
import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import obstore
from obstore import exceptions
from obstore.store import from_url

from galaxy_edge.errors import UsageError

#: Requests at the same time, and bytes of one read.
CONCURRENCY = 16
_RANGE = 8 * 2**20
#: How often a request is made, beyond the repetitions of obstore, and the longest pause, seconds.
_TRIES, _LONGEST_PAUSE = 6, 30.0
_RETRY = {"max_retries": 8, "retry_timeout": timedelta(minutes=3)}

_MISSING = (exceptions.NotFoundError, FileNotFoundError)
_EXISTS = (exceptions.AlreadyExistsError, FileExistsError)
_REFUSED = (
    exceptions.PermissionDeniedError,
    exceptions.UnauthenticatedError,
    PermissionError,
)

_T = TypeVar("_T")


class Bucket:
    """The objects of a bucket, by their keys.

    Args:
        root: scheme and bucket, such as ``s3://bucket``. The region, the endpoint and the
            credentials are found as the SDKs find them: in environment variables, in the profile
            of AWS (with boto3), in the files of gcloud, on the metadata server of the machine.

    Raises:
        UsageError: the bucket cannot be opened.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")
        config: dict[str, Any] = {}
        options: dict[str, Any] = {"timeout": timedelta(seconds=60)}
        if root.startswith("s3://"):
            config = {"endpoint": endpoint} if endpoint else {}
            config |= _profile()
            options["allow_http"] = endpoint.startswith("http://")
        try:
            self._store: Any = from_url(
                root,
                client_options=options,
                retry_config=_RETRY,
                **config,
            )
        except (exceptions.BaseError, ValueError):
            raise UsageError(
                f"{root} cannot be opened; check its name, and the region and credentials in the "
                "environment"
            ) from None

    def size(self, key: str) -> int:
        """Bytes of an object.

        Raises:
            FileNotFoundError: there is no such object.
        """
        return int(self._tried(key, lambda: obstore.head(self._store, key))["size"])

    def sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Keys and bytes of the objects below a folder, in the order of the store."""
        batches: Any = None
        last: str | None = None

        def following() -> Any:
            # A listing that broke off is taken up after its last key: the same iterator would end.
            nonlocal batches
            current = batches or iter(
                obstore.list(self._store, prefix or None, offset=last, chunk_size=1000)
            )
            batches = None
            batch = next(current, ())
            batches = current
            return batch

        while batch := self._tried(prefix, following):
            last = str(batch[-1]["path"])
            yield from ((str(one["path"]), int(one["size"])) for one in batch)

    def read(self, key: str) -> bytes:
        """The content of a small object.

        Raises:
            FileNotFoundError: there is no such object.
        """

        def get() -> bytes:
            result = obstore.get(self._store, key)
            return _whole(bytes(result.bytes()), int(result.meta["size"]))

        return self._tried(key, get)

    def fetch(self, key: str, path: Path) -> None:
        """Copy an object to a file, in ranges that are read at the same time.

        Raises:
            FileNotFoundError: there is no such object.
            OSError: it was replaced meanwhile.
        """
        meta = self._tried(key, lambda: obstore.head(self._store, key))
        size, tag = int(meta["size"]), meta["e_tag"]

        def get(start: int, end: int) -> bytes:
            options: dict[str, Any] = {"range": (start, end)}
            if tag is not None:
                options["if_match"] = tag
            return _whole(
                bytes(obstore.get(self._store, key, options=options).bytes()),
                end - start,
            )

        def copy(start: int) -> None:
            end = min(start + _RANGE, size)
            content = self._tried(key, lambda: get(start, end))
            os.pwrite(file.fileno(), content, start)

        with path.open("wb") as file, ThreadPoolExecutor(CONCURRENCY) as pool:
            for _ in pool.map(copy, range(0, size, _RANGE)):
                pass

    def create(self, key: str, content: bytes) -> bool:
        """Write an object, unless it exists (If-None-Match); False if it does."""

        def put() -> bool:
            try:
                obstore.put(self._store, key, content, mode="create", use_multipart=False)
            except _EXISTS:
                return False
            return True

        return self._tried(key, put)

    def _tried(self, key: str, request: Callable[[], _T]) -> _T:
        """Make a request, again if it fails for a passing reason."""
        url = f"{self.root}/{key}"
        for attempt in range(_TRIES):
            try:
                return request()
            except _MISSING:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), url) from None
            except _REFUSED:
                raise UsageError(
                    f"{url}: access is denied; check the credentials in the environment"
                ) from None
            except exceptions.PreconditionError:
                raise OSError(errno.ESTALE, "replaced while it was read", url) from None
            except (exceptions.NotSupportedError, exceptions.InvalidPathError):
                raise UsageError(f"{url}: the storage does not support this request") from None
            except (exceptions.BaseError, OSError):
                if attempt + 1 < _TRIES:
                    pause = min(_LONGEST_PAUSE, 0.1 * 4**attempt)
                    time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - no secret
        raise OSError(
            errno.EIO,
            f"no usable answer from the storage after {_TRIES} tries; repeat the command later",
            url,
        )


@cache
def bucket(root: str) -> Bucket:
    """The bucket of this name, opened once in each process."""
    return Bucket(root)


def _whole(content: bytes, size: int) -> bytes:
    if len(content) != size:
        raise OSError(errno.EIO, f"{len(content)} of {size} bytes arrived")
    return content


def _profile() -> dict[str, Any]:
    """Credentials from a profile of AWS, which obstore does not read by itself."""
    given = "AWS_ACCESS_KEY_ID" in os.environ
    names = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE")
    places = ("~/.aws/credentials", "~/.aws/config")
    profile = any(one in os.environ for one in names) or any(
        Path(one).expanduser().exists() for one in places
    )
    if given or not profile:
        return {}
    try:
        from obstore.auth.boto3 import Boto3CredentialProvider  # noqa: PLC0415

        return {"credential_provider": Boto3CredentialProvider()}
    except ModuleNotFoundError:
        raise UsageError(
            "the profiles of AWS need boto3, which is not installed: pip install boto3; or set "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        ) from None
    except Exception:  # noqa: BLE001 - botocore raises many kinds, which may quote the profile
        raise UsageError("the profile of AWS has no usable credentials; check it") from None
