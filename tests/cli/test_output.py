"""What goes to stdout and stderr, whatever these are."""

import io
import json
import sys

import pytest

from alexnet_tui.cli import output


class Reentered(io.StringIO):
    """A stream that a signal handler finds in the middle of a write."""

    def write(self, text: str) -> int:
        raise RuntimeError("reentrant call")


def test_a_sentence_from_a_signal_handler_arrives(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stderr", Reentered())
    output.say("stopping with a checkpoint\u2026 \x1b[2J")
    assert capfd.readouterr().err == "stopping with a checkpoint\\u2026 \\x1b[2J\n"


@pytest.mark.parametrize("gone", ["closed", "none", "full"])
def test_a_sentence_that_nobody_can_read_is_no_error(gone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO() if gone != "full" else open("/dev/full", "w")  # noqa: SIM115
    if gone == "closed":
        stream.close()
    monkeypatch.setattr(sys, "stderr", None if gone == "none" else stream)
    output.say("x")


def test_what_an_encoding_lacks_becomes_a_like_symbol_or_an_escape() -> None:
    buffer = io.BytesIO()
    stream = io.TextIOWrapper(buffer, encoding="ascii")
    before = sys.stdout
    try:
        sys.stdout = stream
        output.prepare_streams()
    finally:
        sys.stdout = before
    text = "a – b … ✓ 網 \udce9, ≤ 1.0 ±0.2 ≥ → ×"
    shown = "a - b ~ + \\u7db2 \\udce9, <= 1.0 +-0.2 >= -> x"
    assert output.as_written(text, stream) == shown
    stream.write(text)
    stream.flush()
    assert buffer.getvalue() == shown.encode()
    assert output.as_written("≤ ±", io.StringIO()) == "≤ ±", "what has no encoding lacks nothing"


def test_json_holds_nothing_that_a_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x7f\x9b2J\u202e\x1b]0;x"
    output.write_json({"name": evil})
    text = capsys.readouterr().out
    assert json.loads(text) == {"name": evil}
    assert text.isascii()
    assert text.replace("\n", "").isprintable()
    line = output.in_ascii(json.dumps({"name": evil}, ensure_ascii=False))
    assert json.loads(line) == {"name": evil}
    assert line.isprintable()


def test_any_number_of_unreadable_runs_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for number, expected in (
        (0, ""),
        (1, "not read: a."),
        (30, "not read: 30 runs, the first a; `all` names them all."),
    ):
        output.say_unreadable(["a."] * number, "all")
        assert capsys.readouterr().err.strip() == expected
