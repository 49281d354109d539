"""The process behind ``harness`` and ``python -m harness``."""

from __future__ import annotations

import signal
import sys


def main() -> int:
    """Run the command line with the process's arguments and return its exit status, also if Ctrl-C comes during the imports."""
    try:
        from .cli.main import main as run
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print("error: interrupted", file=sys.stderr)
        return 2
    return run()


if __name__ == "__main__":
    sys.exit(main())
