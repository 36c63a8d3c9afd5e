"""What a cell shows: bytes travel as bytes, everything else as it is."""

import base64
import datetime

import pytest

from ipybox_kernel.displays import Hooks, json_value, mime_bundle


def test_images_in_base64_become_bytes_at_their_place() -> None:
    # verifies: EXEC-08, OUT-01
    text = base64.encodebytes(b"\x89PNG\r\n" * 30).decode()
    plain, buffers = mime_bundle({"text/plain": "<Figure>", "image/png": text, "image/svg+xml": "<svg/>"})
    assert plain == {"text/plain": "<Figure>", "image/svg+xml": "<svg/>"}
    assert buffers == [(["data", "image/png"], b"\x89PNG\r\n" * 30)]


@pytest.mark.parametrize("mime", ["image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf"])
@pytest.mark.parametrize("value", [b"bytes", bytearray(b"bytes"), memoryview(b"bytes"), "Ynl0ZXM="])
def test_every_binary_type_in_every_form(mime: str, value: object) -> None:
    # verifies: OUT-01
    assert mime_bundle({mime: value}) == ({}, [(["data", mime], b"bytes")])


def test_bytes_of_any_type_are_bytes() -> None:
    assert mime_bundle({"application/octet-stream": b"x"}) == ({}, [(["data", "application/octet-stream"], b"x")])


@pytest.mark.parametrize("value", ["ü is no base64", "abc", None, 5])
def test_what_is_no_base64_is_left_as_it_is(value: object) -> None:
    assert mime_bundle({"image/png": value}) == ({"image/png": value}, [])


def test_text_that_looks_like_base64_stays_text() -> None:
    assert mime_bundle({"text/plain": "Ynl0ZXM="}) == ({"text/plain": "Ynl0ZXM="}, [])


def test_json_takes_what_json_has_not() -> None:
    # verifies: OUT-01
    value = {"nan": float("nan"), "list": [float("inf"), b"\xff", (1, 2)], 3: datetime.datetime(2024, 2, 29), None: {4}}
    assert mime_bundle({"application/json": value})[0] == {
        "application/json": {
            "nan": "nan",
            "list": ["inf", "/w==", [1, 2]],
            "3": "2024-02-29T00:00:00Z",
            "null": [4],
        }
    }


def test_json_that_is_fine_is_passed_on_as_it_is() -> None:
    value = {"a": [1, 2.5, None, True, "ü"]}
    assert json_value(value) is value


def test_hooks_change_and_hold_back() -> None:
    hooks = Hooks()
    assert hooks.apply("display_data", {"data": 1}) == {"data": 1}
    hooks.all.append(lambda message: {**message, "content": {"data": message["content"]["data"] + 1}})
    assert hooks.apply("display_data", {"data": 1}) == {"data": 2}
    hooks.all.append(lambda message: None if message["msg_type"] == "display_data" else message)
    assert hooks.apply("display_data", {"data": 1}) is None
    assert hooks.apply("execute_result", {"data": 1}) == {"data": 2}
    assert hooks.remove(hooks.all[1])
    assert not hooks.remove(lambda message: message)
    assert hooks.apply("display_data", {"data": 1}) == {"data": 2}
