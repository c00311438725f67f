//! `[python]`: what runs in Python, and what runs it.

use std::path::PathBuf;

use crate::config::kinds::{Flag, Integer, Path, Text, Texts};
use crate::config::reader::{Noted, Reader};
use crate::config::setting::{Is, IsText, Otherwise, settings};

settings! {
    /// What Python serves, as `start --methods-provider` says, which goes before this: `gooddata_flexconnect` is the modules
    /// of `flexconnect.functions`, `gooddata_flexfun` those of `flexfun.functions`. Any other is a module with Flight RPC
    /// methods of its own, made by a function marked with `@flight_server_methods`; it runs in exactly one process, for
    /// which `workers`, `threads` and `worker_memory_bytes` have no meaning.
    METHODS_PROVIDER: Text, IsText = "methods_provider", Text { what: "the name of a Python module" },
        IsText(Provider::FLEXCONNECT);
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

/// What Python serves (`methods_provider`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Provider {
    /// Functions of `gooddata-flexconnect`.
    #[default]
    FlexConnect,
    /// Functions of `gooddata-flexfun`, which came before.
    FlexFun,
    /// The Flight RPC methods that this module makes.
    Own(String),
}

impl Provider {
    const FLEXCONNECT: &str = "gooddata_flexconnect";
    const FLEXFUN: &str = "gooddata_flexfun";

    /// The provider that a module of this name is.
    #[must_use]
    pub fn named(module: &str) -> Self {
        match module {
            Self::FLEXCONNECT => Self::FlexConnect,
            Self::FLEXFUN => Self::FlexFun,
            own => Self::Own(own.to_owned()),
        }
    }

    /// The name of the module.
    #[must_use]
    pub fn module(&self) -> &str {
        match self {
            Self::FlexConnect => Self::FLEXCONNECT,
            Self::FlexFun => Self::FLEXFUN,
            Self::Own(module) => module,
        }
    }
}

/// Modules with functions, by the section that names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Modules {
    /// `flexconnect.functions`
    pub flexconnect: Vec<String>,
    /// `flexfun.functions`
    pub flexfun: Vec<String>,
}

/// `[python]`, and the modules of `[flexconnect]` and `[flexfun]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PythonSection {
    /// `methods_provider`
    pub provider: Provider,
    /// `flexconnect.functions` and `flexfun.functions`.
    pub named: Modules,
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
    /// Workers are replaced when the files of their modules change, as `--reload` asks for.
    pub follow: bool,
    /// The file that steers Python's logging, as `--logging-config` names it.
    pub logging_config: Option<PathBuf>,
}

impl PythonSection {
    /// The modules with functions that are served.
    #[must_use]
    pub fn modules(&self) -> &[String] {
        match self.provider {
            Provider::FlexConnect => &self.named.flexconnect,
            Provider::FlexFun => &self.named.flexfun,
            Provider::Own(_) => &[],
        }
    }

    /// Whether Python has Flight RPC methods of its own to serve, and no functions.
    #[must_use]
    pub const fn has_own_methods(&self) -> bool {
        matches!(self.provider, Provider::Own(_))
    }

    /// Whether Python has anything to serve.
    #[must_use]
    pub fn serves(&self) -> bool {
        self.has_own_methods() || !self.modules().is_empty() || self.socket.is_some()
    }

    /// What was written down and is not served, in sentences.
    #[must_use]
    pub fn idle(&self) -> Vec<String> {
        let Modules { flexconnect, flexfun } = &self.named;
        let serves = self.provider.module();
        let mut idle = Vec::new();
        let mut functions = |modules: &[String], section: &str, of: &Provider| {
            if !modules.is_empty() && self.provider != *of {
                let provider = of.module();
                idle.push(format!(
                    "{section}.functions has no effect: {serves} is served; start with --methods-provider {provider}, or \
                     set python.methods_provider"
                ));
            }
        };
        functions(flexconnect, "flexconnect", &Provider::FlexConnect);
        functions(flexfun, "flexfun", &Provider::FlexFun);
        if let Provider::Own(module) = &self.provider {
            let settings = [
                ("workers", self.workers.is_some_and(|workers| workers != 1)),
                ("threads", self.threads.is_some()),
                ("worker_memory_bytes", self.worker_memory.is_some()),
            ];
            for (name, _) in settings.into_iter().filter(|(_, written)| *written) {
                idle.push(format!(
                    "python.{name} has no effect: {module} runs in exactly one process"
                ));
            }
        }
        idle
    }
}

pub(super) fn read(reader: &mut Reader<'_>, named: Modules) -> Result<PythonSection, Noted> {
    let provider = reader.read(&METHODS_PROVIDER);
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
        provider: Provider::named(&provider?),
        named,
        interpreter,
        socket,
        config_files,
        workers: workers?.map(count).transpose()?,
        threads: threads?.map(count).transpose()?,
        worker_memory: worker_memory?.map(i64::unsigned_abs),
        path: path.unwrap_or_default().into_iter().map(PathBuf::from).collect(),
        tracebacks: tracebacks?,
        follow: false,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn section(provider: &str) -> PythonSection {
        PythonSection {
            provider: Provider::named(provider),
            named: Modules {
                flexconnect: vec!["sales".to_owned()],
                flexfun: vec!["old".to_owned()],
            },
            workers: Some(2),
            ..PythonSection::default()
        }
    }

    #[test]
    fn the_provider_says_what_is_served_and_what_is_not() {
        let of = |provider| {
            let section = section(provider);
            let told = section.idle();
            let idle = told
                .iter()
                .filter_map(|text| text.split_once(" has").map(|(name, _)| name.to_owned()));
            (section.modules().to_vec(), idle.collect::<Vec<_>>())
        };
        assert_eq!(
            of("gooddata_flexconnect"),
            (vec!["sales".to_owned()], vec!["flexfun.functions".to_owned()])
        );
        assert_eq!(
            of("gooddata_flexfun"),
            (vec!["old".to_owned()], vec!["flexconnect.functions".to_owned()])
        );
        let (modules, idle) = of("my.service");
        assert_eq!(modules, Vec::<String>::new());
        assert_eq!(idle, ["flexconnect.functions", "flexfun.functions", "python.workers"]);
        assert!(section("my.service").serves());
    }
}
