"""Runs an export as a task instance would, and gives it stores to write to."""

from __future__ import annotations

import errno
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.spec import AbstractBufferedFile, AbstractFileSystem

from tallyfy_provider.transfers.object_storage import TallyfyToObjectStorageOperator

if AIRFLOW_V_3_0_PLUS:
    from airflow.sdk.io import attach
else:
    from airflow.io.store import attach

Export = Callable[..., dict[str, Any]]
_numbers = itertools.count()


@pytest.fixture
def export(connect, task_context) -> Export:
    """Export to ``path`` as the given attempt of a task."""
    connect()

    def export(path: Any, *, attempt: int = 1, task_id: str = "export_runs", **arguments: Any) -> dict[str, Any]:
        operator = TallyfyToObjectStorageOperator(task_id=task_id, path=path, **arguments)
        return operator.execute(context=task_context(attempt, task_id=task_id))

    return export


class Upload(AbstractBufferedFile):
    """An object that can be seen when its upload is complete, as those of S3, Google Cloud Storage and Azure."""

    def _initiate_upload(self) -> None:
        self.fs.raise_what_is_wrong(self.path)
        self.parts = b""
        self.fs.under_way.add(self.path)

    def _upload_chunk(self, final: bool = False) -> bool:
        self.parts += self.buffer.getvalue()
        if final:
            self.fs.objects[self.path] = self.parts
            self.fs.under_way.discard(self.path)
        return True

    def discard(self) -> None:
        self.fs.under_way.discard(self.path)


class Bucket(AbstractFileSystem):
    """A store of objects with one bucket, named ``bucket``."""

    protocol = "s3"
    cachable = False

    def __init__(self, wrong: Exception | None = None) -> None:
        super().__init__()
        self.objects: dict[str, bytes] = {}
        self.under_way: set[str] = set()
        self.wrong = wrong

    def raise_what_is_wrong(self, path: str) -> None:
        if self.wrong is not None:
            raise self.wrong

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        if self.wrong is not None:
            raise PermissionError("Forbidden")  # one may be allowed to write, and not to look
        if path != "bucket" and path not in self.objects:
            raise FileNotFoundError("The specified bucket does not exist")
        return {"name": path, "size": 0, "type": "directory" if path == "bucket" else "file"}

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> list[Any]:
        below = f"{path.rstrip('/')}/"
        names = {below + name.removeprefix(below).partition("/")[0] for name in self.objects if name.startswith(below)}
        rows = [
            {"name": name, "size": 0, "type": "file" if name in self.objects else "directory"} for name in sorted(names)
        ]
        return rows if detail else [row["name"] for row in rows]

    def exists(self, path: str, **kwargs: Any) -> bool:
        return path in self.objects

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
        return self.objects[path]

    def rm_file(self, path: str) -> None:
        del self.objects[path]

    def _open(self, path: str, mode: str = "rb", block_size: Any = None, **kwargs: Any) -> Upload:
        return Upload(self, path, mode, block_size=block_size or "default")


class Folders(MemoryFileSystem):
    """A store that shows a file while it grows, and that may become full."""

    cachable = False

    def __init__(self, room: float = float("inf")) -> None:
        super().__init__()
        self.store: dict[str, Any] = {}
        self.pseudo_dirs = [""]
        self.room = room

    def _open(self, path: str, mode: str = "rb", **kwargs: Any) -> Any:
        file = super()._open(path, mode, **kwargs)
        if "w" in mode:
            write = file.write

            def write_while_there_is_room(data: bytes) -> int:
                if file.tell() + len(data) > self.room:
                    raise OSError(errno.ENOSPC, "No space left on device")
                return write(data)

            file.write = write_while_there_is_room
        return file

    @property
    def files(self) -> dict[str, bytes]:
        return {path: self.cat_file(path) for path in self.store}


def attached(protocol: str, file_system: AbstractFileSystem) -> str:
    """Give the id of a connection by which an ``ObjectStoragePath`` reaches the file system."""
    conn_id = f"store_{next(_numbers)}"
    attach(protocol, conn_id, fs=file_system)
    return conn_id
