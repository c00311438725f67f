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
    /// Folders in which modules are looked for, before those of `PYTHONPATH`.
    PATH: Texts, Otherwise = "path", Texts { what: "a list of folders" }, Otherwise("none");
    /// Tell clients the traceback of an exception, as the detail of the error. The log has it in any case.
    TRACEBACKS: Flag, Is<bool> = "tracebacks", Flag, Is(false);
}

/// `[python]`, and the modules of `[flexconnect]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PythonSection {
    /// `flexconnect.functions`: modules with functions.
    pub modules: Vec<String>,
    /// `interpreter`; `None` for the first that is found.
    pub interpreter: Option<PathBuf>,
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

pub(super) fn read(reader: &mut Reader<'_>, modules: Vec<String>) -> Result<PythonSection, Noted> {
    let (interpreter, path) = (reader.read(&INTERPRETER), reader.read(&PATH));
    let (workers, threads) = (reader.read(&WORKERS), reader.read(&THREADS));
    let (worker_memory, tracebacks) = (reader.read(&WORKER_MEMORY), reader.read(&TRACEBACKS));
    let count = |value: i64| usize::try_from(value).map_err(|_| Noted);
    Ok(PythonSection {
        modules,
        interpreter: interpreter?,
        workers: workers?.map(count).transpose()?,
        threads: threads?.map(count).transpose()?,
        worker_memory: worker_memory?.map(i64::unsigned_abs),
        path: path?.unwrap_or_default().into_iter().map(PathBuf::from).collect(),
        tracebacks: tracebacks?,
        logging_config: None,
    })
}
