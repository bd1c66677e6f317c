"""The open sessions of one attachment, and the way by which a model call finds its own."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident

from ...cache_core.show.run_chart import drawn_of
from . import KEY
from .companions import companions
from .mailbox import Display, Mailbox
from .session import Session


class Sessions:
    """`open`: the sessions of samplings underway, each with its displays. Several are open where a sampling runs
    inside another one, or in another thread."""

    def __init__(self) -> None:
        self.open: dict[Session, tuple[Display, ...]] = {}

    @contextmanager
    def opened(self, session: Session, guider, mailboxes: tuple[Mailbox, ...] = ()) -> Iterator[None]:
        """The context of one sampling; its report goes to the mailboxes, whatever happens."""
        displays = tuple(mailbox.display for mailbox in mailboxes if mailbox.display)
        for display in displays:
            display.began(session.run)
        self.open[session] = displays
        finished = False
        try:
            with marked(session, guider), session.unrecorded():
                yield
            finished = True
        finally:
            del self.open[session]
            report = session.end(finished)
            for mailbox in mailboxes:
                mailbox.deliver(report, drawn_of(session.run, report, session.followed), ends_of(session))
            for display in displays:
                display.ended(session, report)

    def advanced(self, session: Session) -> None:
        """Show the evaluation that is done."""
        for display in self.open.get(session, ()):
            display.advanced(session.run)

    def of(self, model_options: dict | None) -> Session | None:
        """The session of a sampling with these model options."""
        return self.called((model_options or {}).get("transformer_options"))

    def called(self, options: dict | None) -> Session | None:
        """The session of a call with these transformer options: the one they name, or else the newest of this thread.

        A thread that samples nothing belongs to a device, of the only thread that samples; None where several do.
        """
        sessions = list(self.open)
        if not sessions:
            return None
        named = (options or {}).get(KEY, lambda: None)()
        if named in sessions:
            return named
        own = [session for session in sessions if session.thread == get_ident()]
        if own or len({session.thread for session in sessions}) == 1:
            return (own or sessions)[-1]
        for session in sessions:
            session.run.demote(
                "several samplings call the model from other threads, and a call did not name its own: it is computed"
            )
        return None


def reported(guider, mailboxes: tuple[Mailbox, ...]) -> tuple[tuple[Mailbox, ...], str]:
    """Everybody who gets the report of a sampling: these mailboxes, and those of companions with Apply nodes of their
    own; and a note on the companions, empty where there are none."""
    from comfy.patcher_extension import WrappersMP

    beside = companions(guider)
    if not beside or getattr(guider, "cfg", None) == 1.0:  # then the negative conditioning is left out
        return mailboxes, ""
    attachments = [w.__self__ for p in beside for w in p.get_wrappers(WrappersMP.OUTER_SAMPLE, KEY)]
    known = {id(mailbox.letters) for mailbox in mailboxes}
    more = {id(box.letters): box for own in attachments for box in own.mailboxes if id(box.letters) not in known}
    names = ", ".join(type(patcher.model.diffusion_model).__name__ for patcher in beside)
    ignored = "; its own cache node is not asked" if more else ""
    note = f"the guider runs a second model ({names}): it is cached as the first one is, from its own outputs{ignored}"
    return (*mailboxes, *more.values()), note


def ends_of(session: Session) -> tuple[float, float]:
    """The sigmas at which a sampling begins and ends."""
    sigmas = session.run.timeline.sigmas
    return sigmas[0], sigmas[-1]


@contextmanager
def marked(session: Session, guider) -> Iterator[None]:
    """The context in which the guider's options, and so those of each model call in whatever thread, hold a weak
    reference to `session`."""
    options = guider.model_options.setdefault("transformer_options", {})
    outer = options.get(KEY)
    options[KEY] = weakref.ref(session)
    try:
        yield
    finally:
        options.pop(KEY)
        if outer is not None:
            options[KEY] = outer
