"""
Replace a file by a complete one, or leave it as it is.

A reader never sees half a file, an existing file stays until a complete one takes its place, and what a killed attempt
left is removed by the next one. How depends on the store:

- **Local files** are written beside, flushed to the disk, and renamed, which replaces the old file at once. The new
  one has the mode of the old one, and a symbolic link stays: the file that it leads to is replaced.
- **S3, Google Cloud Storage and Azure Blob Storage** show an object when its upload is completed, and not before. So
  the upload goes to its place directly, and a failure cancels it: nothing has to be copied, and a killed attempt
  leaves nothing visible. (Its parts are kept, unseen, until a lifecycle rule of the bucket removes them.) Closing the
  file would complete the upload with half of the runs: a file that failed is therefore never closed.
- **Other stores** (SFTP, HDFS and whatever fsspec knows) may show a file while it grows: it is written beside, and
  copied or renamed into place as the store can.

fsspec's own transactions do not give this: for local files they write to the temporary folder and move, which is a
copy between disks, and not every store implements them. The file system is used itself and not
:meth:`ObjectStoragePath.open`, which would report the part file to Airflow's lineage and cannot discard a file.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import logging
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tallyfy_provider.exceptions import TallyfyExportError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

log = logging.getLogger(__name__)

#: Protocols of stores that show an object only when its upload is completed.
_SHOWN_WHEN_COMPLETE = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "wasb", "wasbs"})
#: Bytes that are gathered before they are uploaded: so much is held in memory. S3 takes 10,000 parts, so 80 GB a file.
_UPLOAD_BYTES = 8 * 1024 * 1024
#: Letters of the file's own name that its part's name begins with: names may not get longer than 255 bytes.
_NAME_LETTERS = 40


@dataclass(frozen=True)
class Attempt:
    """The writer: the part files of two writers differ, and the next attempt finds that of a killed one."""

    #: Names the task instance, whichever attempt it is.
    owner: str
    #: The number of the attempt, from 1.
    number: int = 1

    def part_of(self, name: str, number: int | None = None) -> str:
        """Return the name of a part file in the same folder: hidden, and with a suffix that readers do not look for."""
        token = hashlib.sha256(self.owner.encode()).hexdigest()[:16]
        return f".{name[:_NAME_LETTERS]}.{token}-{number or self.number}.part"

    def earlier_parts_of(self, name: str) -> list[str]:
        """Return the names of the part files that earlier attempts may have left."""
        return [self.part_of(name, number) for number in range(1, self.number)]


class Sink(io.RawIOBase):
    """Takes the bytes of an open file; ``path`` names it in messages."""

    def __init__(self, file: Any, path: str) -> None:
        #: Bytes that were written.
        self.count = 0
        #: Whether to drop what is written: discarded buffers try once more to write what they hold.
        self.discarding = False
        self._file = file
        self._path = path

    def writable(self) -> bool:
        """Return True, as buffers require."""
        return True

    def write(self, data: Any) -> int:
        """Write all of the bytes, and return their number."""
        chunk = bytes(data)
        if not self.discarding:
            with explained(self._path):
                self._file.write(chunk)
            self.count += len(chunk)
        return len(chunk)


@contextlib.contextmanager
def replacing(path: ObjectStoragePath, attempt: Attempt) -> Iterator[Sink]:
    """
    Give a sink for a file that appears complete when the block ends well, and not at all otherwise.

    An existing file is replaced. Folders are made where the store has folders; buckets and containers never are.
    """
    with explained(str(path)):
        place = _place(path, attempt)
        place.clear()
        file = place.open()
    sink = Sink(file, str(path))
    try:
        yield sink
        with explained(str(path)):
            place.put(file)
    except BaseException:
        sink.discarding = True
        place.discard(file)
        raise


def prepared(path: ObjectStoragePath, attempt: Attempt) -> None:
    """Make the folder of a file, or find out that the bucket is not there, before anything is read."""
    _place(path, attempt).clear()


@contextlib.contextmanager
def explained(path: str) -> Iterator[None]:
    """Turn whatever a file system raises into a :class:`TallyfyExportError` that says what to do."""
    try:
        yield
    except TallyfyExportError:
        raise
    except Exception as error:
        # The libraries of stores raise errors of any type; none may be taken for an error of Tallyfy's.
        raise TallyfyExportError(
            f"{path} cannot be written, and an existing file is unchanged. {_way_out(error)} "
            f"({type(error).__name__}: {error})"
        ) from error


def _way_out(error: Exception) -> str:
    number = getattr(error, "errno", None)
    if number in {errno.ENOSPC, errno.EDQUOT}:
        return "There is no space left there: make room, export less, or write elsewhere."
    if isinstance(error, FileNotFoundError):
        return "Such a bucket, container or folder is not there: check the name, or make it first."
    if isinstance(error, PermissionError):
        return "Check the connection named before the '@' and its permissions: these credentials may not write there."
    if isinstance(error, NotADirectoryError):
        return "A file is where a folder has to be: remove it, or give another path."
    if isinstance(error, IsADirectoryError):
        return "That is a folder: give the name of a file in it."
    if isinstance(error, (ImportError, ValueError)) and "filesystem" in str(error).lower():
        return (
            "Install the provider of the store, apache-airflow-providers-amazon[s3fs], "
            "apache-airflow-providers-google or apache-airflow-providers-microsoft-azure, or correct the path."
        )
    return "Check the path and the connection, and what the store reports."


def _place(path: ObjectStoragePath, attempt: Attempt) -> _LocalFile | _Upload | _OtherFile:
    """
    Return the place for a file in its kind of store.

    It can be cleared of what earlier attempts left, opened, and then put in place or discarded, which raises nothing.
    """
    from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]

    file_system = path.fs
    if isinstance(file_system, LocalFileSystem):
        return _LocalFile(os.path.realpath(path.path), attempt)
    if path.protocol in _SHOWN_WHEN_COMPLETE:
        return _Upload(file_system, path.path)
    return _OtherFile(file_system, path.path, attempt)


class _FileBeside:
    """A file that is written beside its place first, under the name of a part."""

    def __init__(self, path: str, attempt: Attempt) -> None:
        self._path = path
        self._folder, self._name = os.path.split(path)
        self._part = f"{self._folder}/{attempt.part_of(self._name)}"
        self._earlier_parts = [f"{self._folder}/{name}" for name in attempt.earlier_parts_of(self._name)]


class _LocalFile(_FileBeside):
    def clear(self) -> None:
        if os.path.isdir(self._path):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), self._path)
        try:
            os.makedirs(self._folder, exist_ok=True)
        except FileExistsError as error:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), self._folder) from error
        for part in [*self._earlier_parts, self._part]:
            _remove(part)

    def open(self) -> Any:
        return open(self._part, "xb", opener=self._with_the_mode_of_the_old_one)

    def _with_the_mode_of_the_old_one(self, part: str, flags: int) -> int:
        """
        Create the part with the old file's mode, so that nobody else may read it while it is written.

        It is created or not opened at all ("x"): in a folder that others may write to, a link of that name could lead
        to any file of ours.
        """
        file = os.open(part, flags | os.O_NOFOLLOW, 0o666)
        try:
            os.fchmod(file, stat.S_IMODE(os.stat(self._path).st_mode))
        except FileNotFoundError:
            log.debug("%s replaces no file.", self._path)
        except OSError as error:
            log.warning("%s cannot be given the mode of the file that it replaces: %s", self._path, error)
        return file

    def put(self, file: Any) -> None:
        file.flush()
        self._check_ownership(file)
        os.fsync(file.fileno())  # without it a machine that loses its power may keep the name and lose the runs
        file.close()
        os.replace(self._part, self._path)

    def _check_ownership(self, file: Any) -> None:
        """Refuse to put a file in place that somebody else has put in the part's: it may be half of one."""
        if not os.path.samestat(os.fstat(file.fileno()), os.lstat(self._part)):
            raise FileExistsError(errno.EEXIST, "The part file was replaced by another process", self._part)

    def discard(self, file: Any) -> None:
        with contextlib.suppress(Exception):
            self._check_ownership(file)
            _remove(self._part)
        with contextlib.suppress(Exception):
            file.close()  # writes what it still holds, which fails again on a full disk


def _remove(path: str) -> None:
    try:
        os.remove(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        log.warning("Remove %s, which a failed export left and which could not be removed here: %s", path, error)


class _Upload:
    def __init__(self, file_system: Any, path: str) -> None:
        self._file_system = file_system
        self._path = path

    def clear(self) -> None:
        """Find a missing bucket before all runs are read; any other error shows when the file is written."""
        try:
            self._file_system.info(self._path.partition("/")[0])
        except FileNotFoundError:
            raise
        except Exception as error:
            log.debug("The bucket of %s cannot be inspected, which says nothing about writing: %s", self._path, error)

    def open(self) -> Any:
        return self._file_system.open(self._path, "wb", block_size=_UPLOAD_BYTES)

    def put(self, file: Any) -> None:
        file.close()

    def discard(self, file: Any) -> None:
        with contextlib.suppress(Exception):
            file.discard()
        with contextlib.suppress(Exception):
            # fsspec completes the upload of any file that it finds open, if only when the object is collected.
            file.closed = True


class _OtherFile(_FileBeside):
    def __init__(self, file_system: Any, path: str, attempt: Attempt) -> None:
        super().__init__(path, attempt)
        self._file_system = file_system

    def clear(self) -> None:
        self._file_system.makedirs(self._folder, exist_ok=True)
        for part in [*self._earlier_parts, self._part]:
            self._remove(part)

    def open(self) -> Any:
        return self._file_system.open(self._part, "wb")

    def put(self, file: Any) -> None:
        file.close()
        try:
            self._file_system.cp_file(self._part, self._path)
        except NotImplementedError:
            # A store that cannot copy can rename, but may refuse to rename onto a file.
            self._file_system.mv(self._part, self._path)
            return
        self._remove(self._part)

    def discard(self, file: Any) -> None:
        with contextlib.suppress(Exception):
            file.close()
        self._remove(self._part)

    def _remove(self, path: str) -> None:
        try:
            if self._file_system.exists(path):
                self._file_system.rm_file(path)
        except Exception as error:
            log.warning("Remove %s, which a failed export left and which could not be removed here: %s", path, error)
