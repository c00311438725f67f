//! `[python]`: what runs the functions in Python.

use std::path::PathBuf;

use crate::config::kinds::{Flag, Integer, Path, Texts};
use crate::config::reader::{Noted, Reader};
use crate::config::setting::{Is, Otherwise, settings};

settings! {
    /// The Python that runs functions: `CPython` 3.10 to 3.14, with pyarrow and gooddata-flexconnect installed.
    INTERPRETER: Path, Otherwise = "interpreter", Path { what: "the path of a Python interpreter" },
        Otherwise("the one of `VIRTUAL_ENV`, or the first `python3` or `python` in `PATH`");
    /// Worker processes. Each imports all modules; calls go to the one that has least to do. Modules that share state in
    /// their globals need `1`.
    WORKERS: Integer, Otherwise = "workers",
        Integer { from: 1, to: 1_024, what: "a positive number of processes" },
        Otherwise("one for each processor, as far as memory allows by what the first one takes");
    /// Calls that one worker runs at a time, each on a thread of its own.
    THREADS: Integer, Otherwise = "threads",
        Integer { from: 1, to: 10_000, what: "a positive number of threads" },
        Otherwise("as many as it takes to run `server.task_threads` calls, and a quarter more");
    /// Memory of one worker. One that comes near it is replaced: the next one is started, and this one finishes its calls.
    WORKER_MEMORY: Integer, Otherwise = "worker_memory_bytes",
        Integer { from: 1_048_576, to: i64::MAX, what: "a number of bytes" },
        Otherwise("an equal share of half the memory that the container, or else the machine, has");
    /// The Unix socket of a worker host in another container, on a volume that both containers have: the server listens
    /// there and starts no process itself. [How to set it up](../python-container.md).
    SOCKET: Path, Otherwise = "socket", Path { what: "the path of a Unix socket" },
        Otherwise("none: the server starts the worker host itself");
    /// With `socket`: configuration files of the host's image, which its modules see below the settings here. `functions` in
    /// `[flexconnect]` there counts when it is not set here; what concerns the server is not followed.
    CONFIG_FILES: Texts, Otherwise = "config_files", Texts { what: "a list of files" },
        Otherwise("`/config/flexconnect.config.toml`, where the vendor's template has it, if it is there");
    /// Folders in which modules are looked for, before those of `PYTHONPATH`.
    PATH: Texts, Otherwise = "path", Texts { what: "a list of folders" }, Otherwise("none");
    /// Tell clients the traceback of an exception, as the detail of the error. The log has it in any case.
    TRACEBACKS: Flag, Is<bool> = "tracebacks", Flag, Is(false);
}

/// What the kernel takes for the path of a socket.
const LONGEST_SOCKET: usize = 107;

/// `[python]`, and the modules of `[flexconnect]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PythonSection {
    /// `flexconnect.functions`: modules with functions.
    pub modules: Vec<String>,
    /// `interpreter`; `None` for the first that is found.
    pub interpreter: Option<PathBuf>,
    /// `socket`: where the host of another container connects; `None` for a host that the server starts.
    pub socket: Option<PathBuf>,
    /// `config_files`: files in that container; `None` for the usual ones.
    pub config_files: Option<Vec<String>>,
    /// `workers`; `None` for as many as there are processors, and memory allows.
    pub workers: Option<usize>,
    /// `threads`; `None` for a share of all calls.
    pub threads: Option<usize>,
    /// `worker_memory_bytes`; `None` for a share of what there is.
    pub worker_memory: Option<u64>,
    /// `path`: folders in which modules are looked for.
    pub path: Vec<PathBuf>,
    /// `tracebacks`: clients are told where an exception was raised.
    pub tracebacks: bool,
    /// The file that steers Python's logging, as `--logging-config` names it.
    pub logging_config: Option<PathBuf>,
}

impl PythonSection {
    /// Whether Python has anything to serve.
    #[must_use]
    pub fn serves(&self) -> bool {
        !self.modules.is_empty() || self.socket.is_some()
    }
}

pub(super) fn read(reader: &mut Reader<'_>, modules: Vec<String>) -> Result<PythonSection, Noted> {
    let (interpreter, path) = (reader.read(&INTERPRETER), reader.read(&PATH));
    let (workers, threads) = (reader.read(&WORKERS), reader.read(&THREADS));
    let (worker_memory, tracebacks) = (reader.read(&WORKER_MEMORY), reader.read(&TRACEBACKS));
    let (socket, config_files) = (reader.read(&SOCKET), reader.read(&CONFIG_FILES));
    let (socket, interpreter, path, config_files) = (socket?, interpreter?, path?, config_files?);
    check_place(
        reader,
        socket.as_deref(),
        interpreter.as_ref(),
        path.as_ref(),
        config_files.as_ref(),
    )?;
    let count = |value: i64| usize::try_from(value).map_err(|_| Noted);
    Ok(PythonSection {
        modules,
        interpreter,
        socket,
        config_files,
        workers: workers?.map(count).transpose()?,
        threads: threads?.map(count).transpose()?,
        worker_memory: worker_memory?.map(i64::unsigned_abs),
        path: path.unwrap_or_default().into_iter().map(PathBuf::from).collect(),
        tracebacks: tracebacks?,
        logging_config: None,
    })
}

/// What is about a host that the server starts does not go together with one that it does not.
fn check_place(
    reader: &mut Reader<'_>,
    socket: Option<&std::path::Path>,
    interpreter: Option<&PathBuf>,
    path: Option<&Vec<String>>,
    config_files: Option<&Vec<String>>,
) -> Result<(), Noted> {
    let Some(socket) = socket else {
        return match config_files {
            Some(_) => {
                let problem = "is about a host in another container, and python.socket is not set";
                let fix = "set python.socket, or give the files to the server with --config";
                Err(reader.refuse(CONFIG_FILES.name, problem, fix))
            }
            None => Ok(()),
        };
    };
    let length = socket.as_os_str().len();
    if length > LONGEST_SOCKET {
        let problem = format!("has {length} bytes, and the path of a socket {LONGEST_SOCKET} at most");
        return Err(reader.refuse(SOCKET.name, problem, "choose a shorter path"));
    }
    let theirs = [(INTERPRETER.name, interpreter.is_some()), (PATH.name, path.is_some())];
    let mut written = theirs.into_iter().filter(|(_, written)| *written);
    let refused = written.next().map(|(name, _)| {
        let problem = "has no effect with python.socket, where the host brings its own Python";
        let fix = format!("remove {name}, and set it up in the host's container");
        reader.refuse(name, problem, fix)
    });
    refused.map_or(Ok(()), Err)
}
