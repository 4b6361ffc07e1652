"""What a server answered was printed with its line breaks."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from speechvq.errors import UserError
from speechvq.io.download import RemoteFile, fetch


@contextmanager
def server(answer: Callable[[int], bytes]) -> Iterator[str]:
    """A server on the loopback that gives one answer to every request; its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(4096)
                    connection.sendall(answer(port))

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{port}"
        listener.shutdown(socket.SHUT_RDWR)


def redirect(port: int) -> bytes:
    return b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/a.bin\r\nContent-Length: 0\r\n\r\n" % port


@pytest.mark.parametrize(
    "answer",
    [
        redirect,
        lambda port: b"SSH-2.0-OpenSSH\r\n",
        lambda port: b"HTTP/1.1 500 \x1b[31mred\r\nContent-Length: 0\r\n\r\n",
        lambda port: b"",
    ],
)
def test_one_printable_line(
    answer: Callable[[int], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with server(answer) as address, pytest.raises(UserError) as caught:
        fetch(RemoteFile(f"{address}/a.bin"), tmp_path)
    assert str(caught.value).startswith(f"{address}/a.bin: ") and str(caught.value).isprintable()
    assert not (tmp_path / "a.bin").exists()
