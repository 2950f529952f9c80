//! Lines on their way to the writing thread: bounded, so that a reader who stalls costs lines and never a request.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

use super::fold::{Folds, Key, Repeats, Sample};

/// How much may wait for the writing thread, in bytes; a line has some 400.
const QUEUED_BYTES: usize = 4 * 1024 * 1024;
/// How long the last lines may take to be written.
const LAST_LINES_DEADLINE: Duration = Duration::from_secs(2);

/// Lines on their way to the writing thread.
#[derive(Debug, Default)]
pub(super) struct Queue {
    backlog: Mutex<Backlog>,
    /// For the writing thread: there are lines, or there will be no more.
    news: Condvar,
    /// By the writing thread: the last line is out.
    written: Condvar,
}

#[derive(Debug, Default)]
struct Backlog {
    lines: Vec<u8>,
    /// Lines for which there was no room.
    dropped: u64,
    /// Lines that say what was said before.
    folds: Folds,
    /// Whether the writing thread waits for news.
    is_idle: bool,
    is_over: bool,
    is_written: bool,
}

impl Queue {
    /// Ends the queue, and waits until the last line is out.
    pub(super) fn close(&self) {
        let mut backlog = self.lock();
        backlog.is_over = true;
        self.news.notify_all();
        // Whoever reads standard output may have stopped reading; we end all the same.
        let is_writing = |backlog: &mut Backlog| !backlog.is_written;
        drop(self.written.wait_timeout_while(backlog, LAST_LINES_DEADLINE, is_writing));
    }

    /// Says that nobody writes the lines, so that nobody waits for the last one.
    pub(super) fn abandon(&self) {
        self.lock().is_written = true;
    }

    /// Whether there will be no more lines.
    pub(super) fn is_over(&self) -> bool {
        self.lock().is_over
    }

    /// Notes a line that may say what another did; says whether it is to be written.
    pub(super) fn note(&self, key: Key, sample: impl FnOnce() -> Sample) -> bool {
        self.lock().folds.note(Instant::now(), key, sample)
    }

    /// Waits for lines and swaps them for an empty buffer; gives out the counts of what was folded, and how many lines were dropped, or
    /// nothing when there will be no more.
    pub(super) fn take(&self, lines: &mut Vec<u8>) -> Option<(Vec<Repeats>, u64)> {
        /// How often it is looked whether a count is due.
        const LOOK: Duration = Duration::from_secs(1);
        let mut backlog = self.lock();
        loop {
            let is_over = backlog.is_over;
            let repeats = backlog.folds.take(Instant::now(), is_over);
            if !(backlog.lines.is_empty() && backlog.dropped == 0 && repeats.is_empty()) {
                std::mem::swap(&mut backlog.lines, lines);
                return Some((repeats, std::mem::take(&mut backlog.dropped)));
            }
            if is_over {
                backlog.is_written = true;
                self.written.notify_all();
                return None;
            }
            backlog.is_idle = true;
            backlog = if backlog.folds.is_empty() {
                self.news.wait(backlog).unwrap_or_else(PoisonError::into_inner)
            } else {
                self.news.wait_timeout(backlog, LOOK).unwrap_or_else(PoisonError::into_inner).0
            };
            backlog.is_idle = false;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Backlog> {
        // Whole lines, whoever panicked.
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts lines into a queue.
#[derive(Debug, Clone)]
pub(super) struct Sink(pub(super) Arc<Queue>);

impl io::Write for Sink {
    /// The formatter hands over one whole line at a time.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut backlog = self.0.lock();
        if backlog.lines.len() + line.len() > QUEUED_BYTES {
            backlog.dropped += 1;
        } else {
            backlog.lines.extend_from_slice(line);
        }
        // Waking the writing thread costs whoever logs more than the line does. So only the first line after a silence does it, and those
        // that come while it writes or rests are written together.
        if std::mem::take(&mut backlog.is_idle) {
            self.0.news.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Sink {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn lines_wait_up_to_a_limit_and_the_rest_is_counted() {
        let queue = Arc::<Queue>::default();
        let mut sink = Sink(Arc::clone(&queue));
        let line = [b'x'; 1024];
        for _ in 0..QUEUED_BYTES / line.len() + 3 {
            assert_eq!(sink.write(&line).unwrap(), line.len());
        }
        let mut lines = Vec::new();
        assert_eq!((queue.take(&mut lines), lines.len()), (Some((vec![], 3)), QUEUED_BYTES));
        lines.clear();
        sink.write_all(b"next").unwrap();
        assert_eq!((queue.take(&mut lines), lines.as_slice()), (Some((vec![], 0)), &b"next"[..]));
        lines.clear();
        queue.lock().is_over = true;
        assert_eq!((queue.take(&mut lines), queue.lock().is_written), (None, true));
    }
}
