//! `call` of the binary as somebody at a terminal sees it.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Instant;

use flexconnect_server::{Running, Server};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::command_line::{client_of, text};
use super::functions::{Gate, Gated};
use super::harness::{SOON, start};

/// A terminal of 100 columns, and what was written on it so far.
struct Terminal {
    written: Receiver<Vec<u8>>,
    seen: Vec<u8>,
}

impl Terminal {
    /// The terminal, and the side of it that a program is given.
    fn open() -> (Self, OwnedFd) {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let ours = openpt(flags).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let size = Winsize {
            ws_row: 40,
            ws_col: 100,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&ours, size).unwrap();
        let theirs = ioctl_tiocgptpeer(&ours, flags).unwrap();
        let mut screen = File::from(ours);
        let (sender, written) = mpsc::channel();
        thread::spawn(move || {
            let mut part = [0; 1024];
            // It ends with an error when nobody has the other side any more.
            while let Ok(count @ 1..) = screen.read(&mut part) {
                if sender.send(part[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        let seen = Vec::new();
        (Self { written, seen }, theirs)
    }

    /// Waits until this is on the terminal.
    fn shows(&mut self, wanted: &str) {
        let until = Instant::now() + SOON;
        while !self.text().contains(wanted) {
            let part = self
                .written
                .recv_timeout(until.saturating_duration_since(Instant::now()));
            let part = part.unwrap_or_else(|_| panic!("'{wanted}' is not among {:?}", self.text()));
            self.seen.extend(part);
        }
    }

    /// Everything that was written, once the program has let go of the terminal.
    fn all(mut self) -> String {
        loop {
            match self.written.recv_timeout(SOON) {
                Ok(part) => self.seen.extend(part),
                Err(RecvTimeoutError::Disconnected) => return self.text(),
                Err(RecvTimeoutError::Timeout) => panic!("the program holds the terminal: {:?}", self.text()),
            }
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }
}

/// A server with a function that waits for its gate.
async fn gated() -> (Running, Gate) {
    let gate = Gate::closed();
    let function = Gated {
        calls: gate.clone(),
        load: None,
    };
    let running = start(Server::builder().function(function).build(), "").await;
    (running, gate)
}

/// The binary, with this terminal for what it says to people.
fn caller(running: &Running, terminal: OwnedFd, arguments: &[&str]) -> Command {
    let arguments = [&["call", "Gated", "--format", "csv"], arguments].concat();
    let mut command = client_of(&format!("grpc://{}", running.address()), &arguments);
    command.env("TERM", "xterm").stderr(terminal);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_is_shown_while_rows_go_elsewhere() {
    let (running, gate) = gated().await;
    let (mut terminal, theirs) = Terminal::open();
    let child = caller(&running, theirs, &[]).spawn().unwrap();
    gate.somebody_waits().await;
    tokio::task::spawn_blocking(move || {
        terminal.shows("Gated computes · ");
        gate.let_one_pass();
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "number\n1\n"));
        terminal.shows("1 row · 8 B · ");
        let said = terminal.all();
        assert!(said.ends_with(" s\r\n"), "the summary is the last line: {said:?}");
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_leaves_the_terminal_to_the_rows() {
    let (running, gate) = gated().await;
    let (mut terminal, theirs) = Terminal::open();
    let rows = theirs.try_clone().unwrap();
    let mut child = caller(&running, theirs, &[]).stdout(Stdio::from(rows)).spawn().unwrap();
    gate.somebody_waits().await;
    tokio::task::spawn_blocking(move || {
        terminal.shows("Gated computes");
        gate.let_one_pass();
        assert_eq!(child.wait().unwrap().code(), Some(0));
        let said = terminal.all();
        let (_, behind) = said.rsplit_once("Gated computes").unwrap();
        // The line of the progress is cleared before the first row, and does not come again.
        let (before, rows) = behind.split_once("number").unwrap();
        assert!(before.contains("\u{1b}[2K"), "{said:?}");
        assert!(rows.starts_with("\r\n1\r\n"), "{said:?}");
    })
    .await
    .unwrap();
}
