//! Old bugs, to be made again by tests that must notice them. The program has none of this.

use std::cell::Cell;

/// A bug that there was once, or could have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// What was recognised is believed across a break in the events, so that an address may be reused unseen.
    BelievesAcrossBreaks,
    /// A departure that is told while the engine is asked who has an address is missed by the connection.
    MissesDepartures,
    /// An answer from before the events broke opens a connection after everything was listed again.
    OpensWithOldAnswers,
    /// A container whose creation is told, and of which the engine says nothing more, shares with nobody.
    ForgetsSharers,
    /// Whether a build made a container is not asked.
    TrustsSteps,
    /// A creator that was removed stands for what it created for ever.
    KeepsTheDeparted,
    /// Nor does it give way to another of its name.
    IgnoresSuccessors,
}

thread_local! {
    static MADE: Cell<Option<Mistake>> = const { Cell::new(None) };
}

/// From now on this thread makes this mistake, or none.
pub(crate) fn make(mistake: Option<Mistake>) {
    MADE.set(mistake);
}

/// Whether this thread makes it.
pub(super) fn is_made(mistake: Mistake) -> bool {
    MADE.get() == Some(mistake)
}
