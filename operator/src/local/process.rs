//! One server process: started so that it does not outlive us, told to stop, killed with all its children.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::process::{Child, Command};

/// What is started.
#[derive(Debug, Clone)]
pub(super) struct Program {
    /// The server's executable.
    pub(super) path: PathBuf,
    /// Our own, which ties the server to our life before it becomes the server; `None` starts the server itself.
    pub(super) tether: Option<PathBuf>,
}

/// The variables that would reach into a server's configuration from the shell that we were started in.
const SETTING_PREFIXES: [&str; 2] = ["GOODDATA_FLIGHT_", "DYNACONF_"];

/// Starts a process in a group of its own, so that a Ctrl-C at the terminal reaches us alone and we drain it.
pub(super) fn spawn(program: &Program, arguments: &[OsString], environment: &[(String, String)]) -> io::Result<Child> {
    let mut command = match &program.tether {
        Some(tether) => {
            let mut command = Command::new(tether);
            command
                .args(["local", "--tethered-to"])
                .arg(std::process::id().to_string())
                .arg("--")
                .arg(&program.path);
            command
        }
        None => Command::new(&program.path),
    };
    for (name, _) in std::env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| SETTING_PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
        {
            command.env_remove(name);
        }
    }
    command
        .args(arguments)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

/// Becomes `command`, which gets SIGTERM when the process `parent` ends, however that ends. Returns only on failure.
///
/// The kernel keeps the request across `exec`, and a process can make it for itself alone, so the child comes here
/// first.
pub(super) fn become_tethered(parent: u32, command: &[OsString]) -> io::Error {
    #[cfg(target_os = "linux")]
    {
        if let Err(error) = rustix::process::set_parent_process_death_signal(Some(Signal::TERM)) {
            return error.into();
        }
        // The parent may have ended before the request was made; then there is nobody to work for.
        let actual = rustix::process::getppid().map(|pid| pid.as_raw_pid().unsigned_abs());
        if actual != Some(parent) {
            return io::Error::other("the process that started this one is gone");
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = parent;
    match command {
        [] => io::Error::new(io::ErrorKind::InvalidInput, "there is no command to become"),
        [program, arguments @ ..] => {
            let error = std::process::Command::new(program).args(arguments).exec();
            io::Error::new(
                error.kind(),
                format!("cannot start {}: {error}", Path::new(program).display()),
            )
        }
    }
}

/// This very program, for [`Program::tether`].
pub(super) fn own_program() -> io::Result<PathBuf> {
    // On Linux this leads to the running program even when its file was replaced by a newer one in the meantime.
    if cfg!(target_os = "linux") {
        return Ok(PathBuf::from("/proc/self/exe"));
    }
    std::env::current_exe()
}

/// Asks a process to stop.
pub(super) fn terminate(child: &Child) {
    if let Some(pid) = pid(child) {
        // It may have ended just now, which is what was wanted.
        let _ = kill_process(pid, Signal::TERM);
    }
}

/// Ends a process and everything in its group.
pub(super) fn kill(child: &Child) {
    if let Some(pid) = pid(child) {
        let _ = kill_process_group(pid, Signal::KILL);
    }
}

/// Ends what is left of the group of a process that has ended. The kernel gives the id of a group to nobody else while
/// the group has a member; when it has none, there is nothing to end.
pub(super) fn kill_rest(pid: u32) {
    if let Some(group) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// The process id, unless the process was waited for already: then the id may belong to somebody else.
fn pid(child: &Child) -> Option<Pid> {
    Pid::from_raw(i32::try_from(child.id()?).ok()?)
}

/// How a process ended, in words.
pub(super) fn describe(status: io::Result<ExitStatus>) -> String {
    match status {
        // "exit status: 1", "signal: 9 (SIGKILL)"
        Ok(status) => status.to_string(),
        Err(error) => format!("unknown: {error}"),
    }
}

/// The server's executable: the one that was named, or `flexconnect-server` beside our own or on the path.
pub(super) fn find_server(named: Option<&Path>) -> Result<PathBuf, String> {
    const NAME: &str = "flexconnect-server";
    if let Some(path) = named {
        return match path.canonicalize() {
            Ok(path) if is_executable(&path) => Ok(path),
            Ok(_) => Err(format!(
                "the server {} is not an executable file: name another with --server",
                path.display()
            )),
            Err(_) => Err(format!(
                "there is no server {}: build it first, or name another with --server",
                path.display()
            )),
        };
    }
    let beside = std::env::current_exe()
        .ok()
        .and_then(|path| Some(path.parent()?.join(NAME)));
    let path = std::env::var_os("PATH").unwrap_or_default();
    beside
        .into_iter()
        .chain(std::env::split_paths(&path).map(|directory| directory.join(NAME)))
        .find(|path| is_executable(path))
        .ok_or_else(|| format!("there is no {NAME} on the PATH: name the server with --server PATH"))
}

fn is_executable(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn shell(script: &str) -> Child {
        let program = Program {
            path: "/bin/sh".into(),
            tether: None,
        };
        spawn(
            &program,
            &["-c".into(), script.into()],
            &[("ANSWER".to_owned(), "42".to_owned())],
        )
        .unwrap()
    }

    async fn end(mut child: Child) -> String {
        describe(
            tokio::time::timeout(Duration::from_secs(10), child.wait())
                .await
                .unwrap(),
        )
    }

    #[tokio::test]
    async fn a_process_gets_its_environment_and_tells_how_it_ended() {
        assert_eq!(end(shell("exit $ANSWER")).await, "exit status: 42");
    }

    #[tokio::test]
    async fn it_can_be_asked_to_stop() {
        let child = shell("trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done");
        let child = after_first_byte(child).await;
        terminate(&child);
        assert_eq!(end(child).await, "exit status: 7");
    }

    #[tokio::test]
    async fn killing_takes_its_children_along() {
        let mut child = shell("sleep 1000 & echo $!; wait");
        let text = first_line(&mut child).await;
        let grandchild = Pid::from_raw(text.trim().parse().unwrap()).unwrap();
        kill(&child);
        assert!(end(child).await.contains("SIGKILL"));
        let gone = async {
            // Whoever adopts it has to wait for it, too.
            while rustix::process::test_kill_process(grandchild).is_ok() && !is_zombie(grandchild) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), gone).await.unwrap();
    }

    fn is_zombie(pid: Pid) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid())).unwrap_or_default();
        stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z'))
    }

    async fn first_line(child: &mut Child) -> String {
        use tokio::io::AsyncBufReadExt as _;
        let mut line = String::new();
        let mut output = tokio::io::BufReader::new(child.stdout.as_mut().unwrap());
        tokio::time::timeout(Duration::from_secs(10), output.read_line(&mut line))
            .await
            .unwrap()
            .unwrap();
        line
    }

    async fn after_first_byte(mut child: Child) -> Child {
        first_line(&mut child).await;
        child
    }

    #[test]
    fn a_server_that_is_not_there_is_named_with_what_to_do() {
        let error = find_server(Some(Path::new("/nowhere/server"))).unwrap_err();
        assert!(
            error.contains("/nowhere/server") && error.contains("--server"),
            "{error}"
        );
        let error = find_server(Some(Path::new("/etc/passwd"))).unwrap_err();
        assert!(error.contains("not an executable"), "{error}");
        assert!(find_server(Some(Path::new("/bin/sh"))).is_ok());
    }
}
