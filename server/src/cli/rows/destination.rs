//! Where rows are written to: the terminal, a pipe, or a file that appears when it is complete. It is opened before the call,
//! so that nobody waits for rows that cannot be kept.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write};
use std::path::{Path, PathBuf};

use comfy_table::Table;

use super::Format;

/// Where rows go, and in which format.
pub(in crate::cli) struct Destination {
    out: Out,
    format: Format,
    terminal: bool,
}

/// Why rows cannot go there.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum DestinationError {
    #[error("a terminal cannot show this format: write to a file with --output FILE, or into a pipe")]
    BinaryToTerminal,
    #[error("{} cannot be written", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl Destination {
    /// Opens the file when there is one, otherwise what stdout is.
    pub(in crate::cli) fn of(file: Option<PathBuf>, format: Format) -> Result<Self, DestinationError> {
        let terminal = file.is_none() && io::stdout().is_terminal();
        if terminal && format.is_binary() {
            return Err(DestinationError::BinaryToTerminal);
        }
        let out = match file {
            None => Out::Stdout(BufWriter::new(io::stdout())),
            Some(path) => match Out::of(&path) {
                Ok(out) => out,
                Err(source) => return Err(DestinationError::File { path, source }),
            },
        };
        Ok(Self { out, format, terminal })
    }

    pub(super) const fn format(&self) -> Format {
        self.format
    }

    /// How wide a table may be: as the terminal is, and as it likes elsewhere.
    pub(super) fn width(&self) -> Option<u16> {
        self.terminal.then(|| Table::new().width()).flatten()
    }

    /// Whether rows appear on a terminal one after the other, where nothing else should be drawn meanwhile.
    pub(in crate::cli) fn is_terminal_as_rows_come(&self) -> bool {
        self.terminal && self.format != Format::Table
    }

    pub(super) fn into_out(self) -> Out {
        self.out
    }
}

/// The name that a file has until it is complete.
fn partial(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    path.with_file_name(name)
}

/// An open destination.
pub(super) enum Out {
    Stdout(BufWriter<Stdout>),
    /// A device or a pipe, which nothing must take the place of.
    Special(BufWriter<File>, PathBuf),
    File(Partial),
}

/// A file that is removed again unless it becomes complete.
pub(super) struct Partial {
    file: Option<BufWriter<File>>,
    name: PathBuf,
    path: PathBuf,
}

impl Out {
    /// Links are followed: what they lead to is written.
    fn of(path: &Path) -> io::Result<Self> {
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if fs::metadata(&path).is_ok_and(|file| !file.is_file()) {
            let special = OpenOptions::new().write(true).open(&path)?;
            return Ok(Self::Special(BufWriter::new(special), path));
        }
        let name = partial(&path);
        Ok(Self::File(Partial {
            file: Some(BufWriter::new(File::create(&name)?)),
            name,
            path,
        }))
    }

    /// All was written: now the file has its name.
    pub(super) fn complete(mut self) -> Result<(), DestinationError> {
        self.flush()
            .and_then(|()| self.publish())
            .map_err(|source| DestinationError::File {
                path: match &self {
                    Self::Stdout(_) => PathBuf::from("stdout"),
                    Self::Special(_, path) => path.clone(),
                    Self::File(file) => file.path.clone(),
                },
                source,
            })
    }

    fn publish(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(_) | Self::Special(..) => Ok(()),
            Self::File(file) => {
                file.file = None;
                fs::rename(&file.name, &file.path)
            }
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(out) => out.write(bytes),
            Self::Special(out, _) => out.write(bytes),
            Self::File(Partial { file: Some(file), .. }) => file.write(bytes),
            Self::File(Partial { file: None, .. }) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::Special(out, _) => out.flush(),
            Self::File(Partial { file: Some(file), .. }) => file.flush(),
            Self::File(Partial { file: None, .. }) => Ok(()),
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Nothing to remove once it has its name; and nobody to tell when it cannot be removed.
        let _ = fs::remove_file(&self.name);
    }
}
