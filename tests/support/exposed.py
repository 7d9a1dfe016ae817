"""What an error gives away to a reporter that collects the variables of its frames, as Sentry's does."""

from __future__ import annotations

import traceback


def exposed(error: BaseException | None) -> str:
    """All that can be shown of an error and of those it came from, hidden ones too."""
    shown = ""
    while error is not None:
        trace = traceback.TracebackException.from_exception(error, capture_locals=True)
        shown += f"{error!r} {vars(error)} {''.join(trace.format())}\n"
        error = error.__cause__ or error.__context__
    return shown
