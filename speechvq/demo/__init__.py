"""`python -m speechvq.demo`: a page on this computer to convert, enroll, generate and look at units."""

import argparse
import errno
import socket
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.parser import CommandParser
from speechvq.errors import UserError

HOST, PORT = "127.0.0.1", 8765  # the page is served to this computer alone


def build_parser() -> CommandParser:
    """The command's flags."""
    parser = CommandParser("demo", __doc__)
    flags.add_model(parser)
    parser.add_argument(
        "--prior",
        type=Path,
        help="run of a prior over the model's codes, to generate speech, see generate (default: that of the "
        "model)",
    )
    flags.add_number(
        parser, "--port", int, 0, 65_535, default=PORT, help=f"port on {HOST}; 0 takes any free one"
    )
    parser.add_argument("--no-browser", action="store_true", help="print the address and open no browser")
    flags.add_device(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 2 for a user's mistake, 130 after Ctrl-C, which ends it."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    if find_spec("aiohttp") is None:
        raise UserError("the demo needs aiohttp: pip install 'speechvq[demo]'")
    with _listening_socket(arguments.port) as listener:  # a mistake shows before the model is loaded
        from speechvq.demo.server import serve
        from speechvq.demo.session import open_session

        session = open_session(arguments.model, arguments.prior, arguments.device)
        with TemporaryDirectory(prefix="speechvq-demo-") as folder:
            serve(session, listener, Path(folder), open_browser=not arguments.no_browser)


def _listening_socket(port: int) -> socket.socket:
    """A socket that listens on a port of this computer.

    Raises:
        UserError: the port is taken or reserved.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise UserError(
                f"--port {port}: another program uses it; give another, or 0 for any free one"
            ) from None
        if error.errno == errno.EACCES:
            raise UserError(f"--port {port}: reserved for the system; give 1024 or more") from None
        raise
    return listener
