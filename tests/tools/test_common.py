"""What several tools share: signals, and the programs that they run."""

from __future__ import annotations

import signal

import pytest
from common.programs import ProgramError, output
from common.signals import Stopped, stoppable

if not hasattr(signal, "SIGHUP"):
    pytest.skip("needs POSIX signals", allow_module_level=True)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_a_run(signum: signal.Signals) -> None:
    """As an exception, so that all is cleaned up; a second one does not interrupt that."""
    # Under nohup SIGHUP is ignored, and stays so.
    before, found = signal.default_int_handler, signal.getsignal(signum)
    signal.signal(signum, before)

    def work() -> None:
        with stoppable():
            try:
                signal.raise_signal(signum)
            finally:
                signal.raise_signal(signum)

    try:
        with pytest.raises(Stopped) as ended:
            work()
        assert ended.value.signum == signum
        assert signal.getsignal(signum) == before
    finally:
        signal.signal(signum, found)


@pytest.mark.parametrize(
    ("script", "text"),
    [
        pytest.param("echo out; echo err >&2; exit 3", r": err\nout$", id="what it said"),
        pytest.param("exit 3", r": exit code 3$", id="nothing"),
        pytest.param(f"exit 3 # {'long ' * 50}", r"long …: exit code 3$", id="long command"),
    ],
)
def test_a_failed_command_says_why(script: str, text: str) -> None:
    """All of what it said, and the beginning of what it was."""
    with pytest.raises(ProgramError, match=text):
        output(["sh", "-c", script])
