"""What is looked for while an output is written."""

from __future__ import annotations

import threading

import pytest

from elfpack.cli.meanwhile import meanwhile


def test_both_have_ended() -> None:
    written, found = threading.Event(), threading.Event()

    def find() -> None:
        assert written.wait(10), "the block runs beside it"
        found.set()

    with meanwhile(find):
        written.set()
    assert found.is_set()


def test_what_goes_wrong_is_left_to_who_asks(capfd: pytest.CaptureFixture[str]) -> None:
    def find() -> None:
        raise OSError("the disk is gone")

    with meanwhile(find):
        pass
    assert capfd.readouterr() == ("", "")


def test_an_interrupt_waits_for_it() -> None:
    found = threading.Event()
    with pytest.raises(KeyboardInterrupt), meanwhile(found.set):
        raise KeyboardInterrupt
    assert found.is_set()
    assert not [thread for thread in threading.enumerate() if "quietly" in thread.name]
