"""The command `celsa`, also as `python -m celsa_lib`."""

import os
import signal
import sys

STOPPED = 130  # the exit status of what Ctrl-C has ended
IMPORT = "<frozen importlib._bootstrap>"  # the file of Python's own frames of an import


def main() -> None:
    """Run the command; its modules are imported inside, where Ctrl-C may come as well."""
    heeds = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not in the background
    if heeds:
        signal.signal(signal.SIGINT, stop)
    require_streams()
    try:
        from celsa_lib.cli import app

        app()
    except KeyboardInterrupt:
        sys.stderr.write("celsa: stopped\n")
        sys.exit(STOPPED)
    finally:
        if heeds:  # Python's own end would show a traceback
            signal.signal(signal.SIGINT, signal.SIG_DFL)


def stop(number: int, frame) -> None:
    """Heed Ctrl-C: raise KeyboardInterrupt, or end the process where modules are imported.

    Modules may swallow an exception, or make another of it. The next Ctrl-C ends the process.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    while frame is not None and frame.f_code.co_filename != IMPORT:
        frame = frame.f_back
    if frame is None:
        raise KeyboardInterrupt
    os.write(2, b"celsa: stopped\n")
    os._exit(STOPPED)


def require_streams() -> None:
    """End the process where stdout is closed: what it is asked for would be lost without a word.

    A file that is opened later must not get the number of a closed stream: what other libraries
    say would be written into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # which gets the lowest number that is free
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 (until the process ends)
    if sys.stdout is None:
        sys.stderr.write("celsa: stdout is closed; send it to a file, or to /dev/null\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
