"""Readers of downloaded data under fire: IDX files, archives, CIFAR-10's pickles, a server's answers, and recordings."""

import ast
import gzip
import io
import pickle
import re
import socketserver
import struct
import tarfile
import threading
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from tests.fuzzing.fire import Target, damaged
from tests.fuzzing.recordings import RECORDING_TARGETS
from tsslbp.data.archives import ArchiveError, open_zip, read_entry, read_gzip, read_tar
from tsslbp.data.digits import idx_bytes
from tsslbp.data.images import read_idx
from tsslbp.data.pickles import read_pickle
from tsslbp.data.transfer import Downloader, RetryPolicy, TransferError
from tsslbp.progress import Silent

NAMES = (
    st.text("ab./\\:\0", max_size=8)
    | st.text("ab./\\", max_size=12)
    | st.sampled_from(["../up", "/etc/passwd", "C:/x", "a/../../b", "a", "d/a", "\u202e", "a" * 300])
)

# --- IDX

IDX = idx_bytes(np.arange(60, dtype=np.uint8).reshape(3, 4, 5))
headers = st.builds(
    lambda sizes, body: struct.pack(f">HBB{len(sizes)}I", 0, 8, len(sizes), *sizes) + body,
    st.lists(st.integers(0, 3) | st.integers(0, (1 << 32) - 1), min_size=1, max_size=255),
    st.binary(max_size=50),
)
idx_files = (damaged(IDX) | headers | st.binary(max_size=40)).map(lambda data: ("images", data))
packed_idx_files = damaged(gzip.compress(IDX, mtime=0)).map(lambda data: ("images.gz", data))


def check_idx(named: tuple[str, bytes], folder: Path) -> None:
    """An array that fits the file, or a ValueError that names it."""
    path = folder / named[0]
    path.write_bytes(named[1])
    try:
        array = read_idx(path)
    except ValueError as error:
        assert str(path) in str(error)
    else:
        assert 0 < array.size <= len(IDX) + len(named[1])


# --- zip and tar


def zip_of(names: list[str], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for number, name in enumerate(names):
            archive.writestr(zipfile.ZipInfo(name), bytes([number]) * 200, compression)
    return file.getvalue()


def tar_of(names: list[str]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = 200
            archive.addfile(info, io.BytesIO(bytes(200)))
    return file.getvalue()


def with_checksum(header: bytes) -> bytes:
    """A tar header with the right checksum, so that what else is wrong with it is looked at."""
    blank = header[:148] + b" " * 8 + header[156:]
    return header[:148] + b"%06o\0 " % sum(blank) + header[156:]


GOOD = ["Train/", "Train/0/1.bin", "b", "\u00e9" * 90]
METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
zips = st.sampled_from([zip_of(GOOD, method) for method in METHODS]).flatmap(damaged) | st.lists(NAMES, unique=True, max_size=4).map(zip_of)
headers_of_tars = damaged(tar_of(["b"])[:512]).map(lambda header: with_checksum(header[:512].ljust(512, bytes(1))) + tar_of(["b"])[512:])
bare_tars = damaged(tar_of(GOOD)) | headers_of_tars | st.lists(NAMES, max_size=4).map(tar_of)
tars = bare_tars.map(lambda tar: gzip.compress(tar, 1)) | damaged(gzip.compress(tar_of(GOOD)))


def leads_out(name: str) -> bool:
    """Whether a path leads out of the folder that it is joined to, on any system."""
    path, depth = name.replace("\\", "/"), 0
    for part in path.split("/"):
        depth += {"..": -1, ".": 0, "": 0}.get(part, 1)
        if depth < 0:
            return True
    return path.startswith("/") or path[1:2] == ":"


def check_name(name: str) -> None:
    assert name
    assert not leads_out(name)


def check_refusal(error: ArchiveError) -> None:
    """What is refused is refused for what it is."""
    if named := re.search(r"entry ('.*'|\".*\") leads out", str(error), re.DOTALL):
        assert leads_out(ast.literal_eval(named[1]))


def check_zip(data: bytes, folder: Path) -> None:
    """Entries as long as declared that stay inside, or an ArchiveError that names the file; nothing is unpacked."""
    path = folder / "a.zip"
    path.write_bytes(data)
    before = sorted(folder.iterdir())
    try:
        with open_zip(path) as archive:
            for entry in archive.infolist():
                check_name(entry.filename)
                assert len(read_entry(archive, entry.filename)) == entry.file_size
    except ArchiveError as error:
        assert str(path) in str(error)
        check_refusal(error)
    assert sorted(folder.iterdir()) == before


def check_tar(data: bytes, folder: Path) -> None:
    """The entries that were asked for, or an ArchiveError that names the file; nothing is unpacked."""
    path = folder / "a.tar.gz"
    path.write_bytes(data)
    before = sorted(folder.iterdir())
    for read in (lambda: read_tar(path, ["b"]), lambda: read_gzip(path)):
        try:
            result = read()
        except ArchiveError as error:
            assert str(path) in str(error)
            check_refusal(error)
        else:
            assert isinstance(result, bytes) or set(result) == {"b"}
    assert sorted(folder.iterdir()) == before


# --- pickles

BATCH = {"data": np.zeros((2, 7), np.uint8), "labels": [1, 2], b"batch_label": b"training batch 1 of 5"}
OPCODES = [
    b"ctests.fuzzing.fire\ncode_ran\n", b"cos\nsystem\n", b"cbuiltins\nexec\n", b"cnumpy\nndarray\n", b"cnumpy\ndtype\n", b"c_codecs\nencode\n",
    b"cnumpy.core.multiarray\n_reconstruct\n", b"\x8c\x12tests.fuzzing.fire\x8c\x08code_ran\x93", b"(itests.fuzzing.fire\ncode_ran\n", b"\x81", b"\x92",
    b"(", b")", b"]", b"}", b"N", b"K\x01", b"U\x01u", b"X\x01\0\0\0a", b"R", b"b", b"o", b"s", b"u", b"a", b"e", b"t", b"\x85", b"\x86", b"0",
    b"q\0", b"h\0", b"r\xff\xff\xff\x7f", b"j\xff\xff\xff\xff", b"\x8e\xff\xff\xff\xff\xff\xff\xff\x00", b"\x82\x01", b"P1\n", b"Q", b"\x94",
]  # fmt: skip
soups = st.lists(st.sampled_from(OPCODES), max_size=20).map(lambda parts: b"\x80\x04" + b"".join(parts) + b".")
pickles = st.sampled_from([pickle.dumps(BATCH, protocol) for protocol in range(5)]).flatmap(damaged) | soups | st.binary(max_size=80)


def check_pickle(data: bytes, folder: Path) -> None:
    """A dictionary or a ValueError; `code_ran` would get through to the test."""
    try:
        batch = read_pickle(data)
    except ValueError:
        return
    assert all(isinstance(key, str) for key in batch)


# --- a server's answers

PART = b"letters"
BODY = PART * 30
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 210\r\n\r\n" + BODY
LOCATIONS = [
    "/",
    "",
    "file:///etc/passwd",
    "http://[",
    "http://127.0.0.1:99999/",
    "ftp://127.0.0.1/x",
    "data:,x",
    "http://",
    "\xff",
    "x" * 3000,
]
HEADERS = ["Content-Length", "Content-Range", "Content-Encoding", "Transfer-Encoding", "Set-Cookie", "Connection", "Retry-After", "\xff\0"]
VALUES = st.sampled_from(["gzip", "chunked", "-1", "9" * 5000, "bytes 0-9/10", "bytes 7-", "a=b; expires=x"]) | st.text(
    st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=12
)
lines = st.tuples(st.sampled_from(HEADERS), VALUES) | st.tuples(st.just("Location"), st.sampled_from(LOCATIONS))
answers = (
    damaged(ANSWER)
    | st.binary(max_size=60)
    | st.builds(
        lambda status, headers, body: (
            f"HTTP/1.1 {status}\r\n".encode("latin-1") + b"".join(f"{n}: {v}\r\n".encode("latin-1") for n, v in headers) + b"\r\n" + body
        ),
        st.sampled_from(
            ["200 OK", "206 Partial", "302 Found", "404 \x1b[2J", "416 x", "500", "100 Continue", "999 x", "-1 x", "204 No Content"]
        ),
        st.lists(lines, max_size=4),
        st.binary(max_size=60),
    )
)


class _Parrot(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while self.rfile.readline() not in (b"\r\n", b""):
            pass
        self.wfile.write(self.server.answer)  # type: ignore[attr-defined]


@cache
def parrot() -> socketserver.ThreadingTCPServer:
    """A server that answers whatever its attribute `answer` holds; it lives as long as the test run."""
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Parrot)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # a client that hangs up
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def check_answer(data: bytes, folder: Path) -> None:
    """What the server sent, behind the part or in its place, or a TransferError on one line that a terminal can print.

    It may be nothing: an answer without a length that breaks off in its head. The checksum decides.
    """
    server = parrot()
    server.answer = data  # type: ignore[attr-defined]
    policy = RetryPolicy(connect=5, read=5, attempts=1, backoff=0, offline=60)
    (folder / "partial").write_bytes(PART)
    try:
        Downloader(Silent(), policy).download(f"http://127.0.0.1:{server.server_address[1]}/f", folder / "partial")
    except TransferError as error:
        assert str(error).isprintable()
    else:
        assert (folder / "partial").read_bytes().removeprefix(PART) in data


DATA_TARGETS = {
    **RECORDING_TARGETS,
    "idx": Target(idx_files, check_idx),
    "idx.gz": Target(packed_idx_files, check_idx),
    "zip": Target(zips, check_zip),
    "tar.gz": Target(tars, check_tar),
    "pickle": Target(pickles, check_pickle),
    "http": Target(answers, check_answer),
}
