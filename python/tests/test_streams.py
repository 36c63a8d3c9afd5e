"""``print`` and the two streams: each call leaves the process as one piece."""

import builtins
import contextlib
import io
import sys
from typing import Any

import pytest

from ipybox_kernel import frames
from ipybox_kernel.streams import OutStream, Print


class Recorder:
    """Stands in for the channel of a kernel."""

    owned = True

    def __init__(self) -> None:
        self.sent: list[tuple[int, bytes, int]] = []

    def stream(self, kind: int, data: bytes, flags: int = 0) -> None:
        self.sent.append((kind, data, flags))


@pytest.fixture
def channel() -> Recorder:
    return Recorder()


def stdout_to(channel: Recorder) -> contextlib.redirect_stdout[OutStream]:
    """Within the test itself: pytest sets the stream anew between a fixture and its test."""
    return contextlib.redirect_stdout(OutStream(channel, frames.STDOUT, 1))  # type: ignore[arg-type]


class Broken:
    def __str__(self) -> str:
        raise ValueError("no text")


whole = Print(builtins.print)


@pytest.mark.parametrize(
    ("values", "options", "text"),
    [
        ((), {}, "\n"),
        (("a", 1, None), {}, "a 1 None\n"),
        (("a", "b"), {"sep": "-", "end": ""}, "a-b"),
        (("a", "b"), {"sep": None, "end": None}, "a b\n"),
        (("a",), {"flush": True}, "a\n"),
        (("\ud800",), {}, "\ud800\n"),
    ],
)
def test_a_print_is_one_write(channel: Recorder, values: tuple, options: dict[str, Any], text: str) -> None:
    # verifies: STREAM-01, STREAM-06
    with stdout_to(channel):
        whole(*values, **options)
    assert channel.sent == [(frames.STDOUT, text.encode("utf-8", "surrogatepass"), 0)]


def test_a_print_of_nothing_sends_nothing(channel: Recorder) -> None:
    with stdout_to(channel):
        whole("", end="")
    assert channel.sent == []


def test_values_before_one_that_has_no_text_are_printed_as_python_does(channel: Recorder) -> None:
    with stdout_to(channel), pytest.raises(ValueError, match="no text"):
        whole("a", "b", Broken())
    assert b"".join(data for _, data, _ in channel.sent) == b"a b "


def test_other_files_and_wrong_arguments_are_left_to_python(channel: Recorder) -> None:
    file = io.StringIO()
    with stdout_to(channel):
        whole("a", "b", file=file)
    assert file.getvalue() == "a b\n"
    with stdout_to(channel), pytest.raises(TypeError, match="sep must be None or a string"):
        whole("a", sep=5)
    assert channel.sent == []


def test_a_stream_without_standard_output_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    whole("into nothing")


def test_text_and_bytes_keep_their_order_and_bytes_are_marked(channel: Recorder) -> None:
    with stdout_to(channel):
        sys.stdout.write("ü")
        sys.stdout.buffer.write(b"\xff")
        sys.stdout.writelines(["a", "b"])
    assert channel.sent == [
        (frames.STDOUT, "ü".encode(), 0),
        (frames.STDOUT, b"\xff", frames.RAW),
        (frames.STDOUT, b"a", 0),
        (frames.STDOUT, b"b", 0),
    ]


def test_a_stream_looks_like_a_file(channel: Recorder) -> None:
    with stdout_to(channel) as stream:
        assert (stream.name, stream.mode, stream.encoding) == ("stdout", "w", "utf-8")
        assert (stream.fileno(), stream.isatty(), stream.writable()) == (1, False, True)
        stream.flush()
        with pytest.raises(TypeError, match=r"write\(\) argument must be str, not bytes"):
            stream.write(b"x")  # type: ignore[arg-type]


def test_a_process_that_a_cell_has_forked_writes_to_the_descriptor(channel: Recorder, capfd: pytest.CaptureFixture[str]) -> None:
    # verifies: STREAM-03
    channel.owned = False
    with stdout_to(channel):
        whole("from the child")
        sys.stdout.buffer.write(b"bytes\n")
    assert channel.sent == []
    assert capfd.readouterr().out == "from the child\nbytes\n"
