//! Where lines go: through a bounded buffer to a thread that writes many at a time, so that who logs never waits for
//! who reads.
//!
//! A line that finds the buffer full is dropped and counted; how many were is told in a line of its own as soon as
//! there is room again.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use prometheus::IntCounter;

use super::Output;

/// Bytes that may wait to be written: some twenty thousand lines, a second at full load.
const LIMIT: usize = 8 * 1024 * 1024;

/// How long the first line of a batch waits for others.
const LINGER: Duration = Duration::from_millis(5);

/// How long a write that the receiver refuses for now is put off.
const REFUSED: Duration = Duration::from_millis(1);

/// Room that is kept between batches.
const KEPT: usize = 256 * 1024;

/// A buffer with a thread that empties it. Clones are the same.
#[derive(Clone, Debug)]
pub(in crate::telemetry) struct Sink(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit: usize,
    dropped_total: IntCounter,
    state: Mutex<State>,
    /// Rung when there is something to write while the writer waits for that, or when it shall hurry.
    wake: Condvar,
    /// Rung when a batch is written.
    written: Condvar,
}

#[derive(Default)]
struct State {
    pending: String,
    /// Lines dropped that no line told yet.
    dropped: u64,
    /// Batches that were taken, and written, since the start.
    taken: u64,
    done: u64,
    writer_waits: bool,
    hurry: bool,
}

impl Sink {
    /// Starts the thread. `tell_dropped` makes the line that tells how many were dropped.
    pub(in crate::telemetry) fn start<W>(
        receiver: W,
        dropped_total: IntCounter,
        tell_dropped: impl Fn(u64) -> String + Send + 'static,
    ) -> io::Result<Self>
    where
        W: Write + Send + 'static,
    {
        Self::with_limit(LIMIT, receiver, dropped_total, tell_dropped)
    }

    fn with_limit<W>(
        limit: usize,
        receiver: W,
        dropped_total: IntCounter,
        tell_dropped: impl Fn(u64) -> String + Send + 'static,
    ) -> io::Result<Self>
    where
        W: Write + Send + 'static,
    {
        let shared = Arc::new(Shared {
            limit,
            dropped_total,
            state: Mutex::default(),
            wake: Condvar::new(),
            written: Condvar::new(),
        });
        let writer = Arc::clone(&shared);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || writer.write_forever(receiver, tell_dropped))?;
        Ok(Self(shared))
    }

    /// Waits until all lines up to now are written, for so long at most. Tells whether they are.
    pub(in crate::telemetry) fn flush(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let mut state = self.0.lock();
        let target = state.taken + u64::from(!state.pending.is_empty() || state.dropped > 0);
        state.hurry = true;
        self.0.wake.notify_one();
        while state.done < target {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.0.written.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl Output for Sink {
    fn take(&self, line: &str) {
        let mut state = self.0.lock();
        if state.pending.len() + line.len() > self.0.limit {
            state.dropped += 1;
            self.0.dropped_total.inc();
            return;
        }
        state.pending.push_str(line);
        if mem::take(&mut state.writer_waits) {
            drop(state);
            self.0.wake.notify_one();
        }
    }
}

/// Without the lines themselves.
impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("pending", &self.pending.len())
            .field("dropped", &self.dropped)
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes batch after batch, for as long as the process lives.
    fn write_forever(&self, mut receiver: impl Write, tell_dropped: impl Fn(u64) -> String) {
        let mut batch = String::new();
        loop {
            let dropped = self.take_batch(&mut batch);
            if dropped > 0 {
                batch.push_str(&tell_dropped(dropped));
            }
            write_all(&mut receiver, batch.as_bytes());
            batch.clear();
            batch.shrink_to(KEPT);
            self.lock().done += 1;
            self.written.notify_all();
        }
    }

    /// Waits for lines, and a moment for more of them. Returns how many were dropped after them.
    fn take_batch(&self, batch: &mut String) -> u64 {
        let mut state = self.lock();
        while state.pending.is_empty() && state.dropped == 0 {
            state.writer_waits = true;
            state.hurry = false;
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.writer_waits = false;
        let lingered = self.wake.wait_timeout_while(state, LINGER, |state| !state.hurry);
        let mut state = lingered.unwrap_or_else(PoisonError::into_inner).0;
        state.hurry = false;
        state.taken += 1;
        mem::swap(&mut state.pending, batch);
        mem::take(&mut state.dropped)
    }
}

/// Writes all of it. There is nowhere to tell that logs cannot be written.
fn write_all(receiver: &mut impl Write, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match receiver.write(bytes) {
            Ok(0) => return,
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(REFUSED),
            Err(_) => return,
        }
    }
    let _ = receiver.flush();
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Shows what is written, one write at a time, and waits to be let go on.
    struct Gate {
        shown: Sender<String>,
        go: Receiver<()>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.shown.send(String::from_utf8(bytes.to_vec()).unwrap());
            let _ = self.go.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const LONG: Duration = Duration::from_secs(20);

    fn gated(limit: usize) -> (Sink, IntCounter, Receiver<String>, Sender<()>) {
        let (shown, see) = channel();
        let (let_go, go) = channel();
        let dropped = IntCounter::new("dropped", "Dropped.").unwrap();
        let tell = |count| format!("dropped {count}\n");
        let sink = Sink::with_limit(limit, Gate { shown, go }, dropped.clone(), tell).unwrap();
        (sink, dropped, see, let_go)
    }

    #[test]
    fn what_comes_while_the_writer_is_busy_is_one_write() {
        let (sink, dropped, see, let_go) = gated(100);
        sink.take("first\n");
        assert_eq!(see.recv_timeout(LONG).unwrap(), "first\n");
        sink.take("second\n");
        sink.take("third\n");
        let_go.send(()).unwrap();
        assert_eq!(see.recv_timeout(LONG).unwrap(), "second\nthird\n");
        let_go.send(()).unwrap();
        assert!(sink.flush(LONG));
        assert_eq!(dropped.get(), 0);
    }

    #[test]
    fn who_logs_never_waits_and_what_is_dropped_is_told() {
        let (sink, dropped, see, let_go) = gated(20);
        sink.take("first\n");
        assert_eq!(see.recv_timeout(LONG).unwrap(), "first\n");
        for _ in 0..5 {
            sink.take("123456789\n");
        }
        assert_eq!(dropped.get(), 3);
        assert!(!sink.flush(Duration::from_millis(10)), "nothing is written yet");
        let_go.send(()).unwrap();
        assert_eq!(see.recv_timeout(LONG).unwrap(), "123456789\n123456789\ndropped 3\n");
        let_go.send(()).unwrap();
        assert!(sink.flush(LONG));
        sink.take("after\n");
        assert_eq!(see.recv_timeout(LONG).unwrap(), "after\n");
        let_go.send(()).unwrap();
    }

    #[test]
    fn a_receiver_that_refuses_for_now_gets_everything_later() {
        struct Reluctant(Sender<u8>, u32);
        impl Write for Reluctant {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.1 += 1;
                if self.1 % 2 == 1 {
                    return Err(ErrorKind::WouldBlock.into());
                }
                let _ = self.0.send(bytes[0]);
                Ok(1)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (sender, receiver) = channel();
        write_all(&mut Reluctant(sender, 0), b"all of it");
        assert_eq!(receiver.iter().collect::<Vec<_>>(), b"all of it");
    }
}
