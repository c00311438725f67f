//! Two containers of a pod, as far as processes see it: mounts and process numbers of their own, users of their own, and a
//! folder and a group in common.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::harness::free_port;
use super::started::{Started, descendants, interpreter, kill};

/// Who the server and the host are, and what they have in common.
pub(crate) const SERVER: u32 = 65_532;
pub(crate) const HOST: u32 = 1000;
const GROUP: u32 = 2000;

/// What happens in a container before its program starts. Homes are often for their owners only; here everybody may pass
/// through, as in an image.
const ENTER: &str = r#"
set -e
stash=$1 user=$2 group=$3 read_only=$4; shift 4
if [ -d "$read_only" ]; then
    mount --bind "$read_only" "$read_only"
    mount -o remount,bind,ro "$read_only"
fi
if [ -d "$HOME" ]; then
    mount --rbind "$HOME" "$stash"
    mount -t tmpfs -o mode=0755 none "$HOME"
    for each in "$stash"/* "$stash"/.[!.]*; do
        if [ -d "$each" ]; then
            mkdir "$HOME/${each##*/}"
            mount --rbind "$each" "$HOME/${each##*/}"
        fi
    done
fi
exec setpriv --reuid "$user" --regid "$user" --groups "$group" --inh-caps=-all --no-new-privs --pdeathsig KILL -- "$@"
"#;

/// What two containers have in common.
pub(crate) struct Pod {
    pub(crate) folder: tempfile::TempDir,
    ports: Ports,
}

/// Where a server listens, for calls and for probes.
#[derive(Clone, Copy)]
pub(crate) struct Ports(u16, u16);

impl Ports {
    pub(crate) fn free() -> Self {
        Self(free_port(), free_port())
    }
}

/// A container with a worker host. Dropped, all processes in it are killed at once.
pub(crate) struct Host(Child);

impl Pod {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pod = Self {
            folder,
            ports: Ports::free(),
        };
        let tried = pod.container("tried", HOST).arg("true").output();
        let works = tried.as_ref().is_ok_and(|output| output.status.success());
        assert!(
            works,
            "containers cannot be played here ({tried:?}): run the tests as root, where `unshare --mount --pid --fork true` \
             works (docker run --privileged), with unshare and setpriv (apt-get install util-linux)"
        );
        for (name, mode) in [(".", 0o755), ("socket", 0o2770), ("image", 0o755)] {
            let path = pod.at(name);
            fs::create_dir_all(&path).unwrap();
            if mode & 0o2000 != 0 {
                // As Kubernetes makes volumes of a pod with an fsGroup.
                chown(&path, None, Some(GROUP)).unwrap();
            }
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        }
        let functions = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/functions.py");
        pod.write("image/functions.py", &fs::read_to_string(functions).unwrap());
        pod.write(
            "image/flexconnect.config.toml",
            "[flexconnect]\nfunctions = ['functions']\n",
        );
        let installed = Command::new(env!("CARGO_BIN_EXE_flexconnect-server"))
            .args(["python-host", "--into"])
            .arg(pod.at("flexconnect"))
            .output()
            .unwrap();
        assert!(installed.status.success(), "{installed:?}");
        pod
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file that everybody can read.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.at(name), text).unwrap();
        fs::set_permissions(self.at(name), Permissions::from_mode(0o644)).unwrap();
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.at("socket/python.sock")
    }

    /// A command in a container of its own.
    fn container(&self, name: &str, user: u32) -> Command {
        let stash = self.at(&format!("stash-{name}-{:x}", rand::random::<u32>()));
        fs::create_dir(&stash).unwrap();
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "--mount-proc"]);
        command.args(["sh", "-c", ENTER, "enter"]).arg(stash);
        command.args([user.to_string(), GROUP.to_string()]);
        // Who connects to a socket needs not write where it is.
        command.arg(if user == HOST {
            self.at("socket")
        } else {
            PathBuf::new()
        });
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GOODDATA_FLIGHT_") || name == "RUST_LOG")
        {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).current_dir("/");
        command
    }

    /// A command that starts a server in its container.
    pub(crate) fn server_command(&self, Ports(port, health): Ports, socket: &Path, python: &str) -> Command {
        let files = self.at("image/flexconnect.config.toml");
        let toml = format!(
            "[server]\nlisten_port = {port}\nadvertise_host = 'localhost'\nhealth_check_host = '127.0.0.1'\n\
             health_check_port = {health}\ntask_cancel_grace_sec = 1\npropagation_delay_sec = 0\n[python]\n\
             socket = {socket:?}\nconfig_files = [{files:?}]\nworkers = 2\n{python}"
        );
        self.write("server.toml", &toml);
        let mut command = self.container("server", SERVER);
        command.arg(env!("CARGO_BIN_EXE_flexconnect-server"));
        command.args(["start", "--config"]).arg(self.at("server.toml"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// A server whose host is to come, or is there.
    pub(crate) fn server(&self) -> Started {
        let folder = tempfile::tempdir_in(self.folder.path()).unwrap();
        let Ports(port, health) = self.ports;
        let command = self.server_command(self.ports, &self.socket(), "");
        Started::spawn(command, port, health, folder).in_container()
    }

    /// A container with a host.
    pub(crate) fn host(&self) -> Host {
        let mut command = self.container("host", HOST);
        command
            .arg(interpreter())
            .arg("-I")
            .arg(self.at("flexconnect/flexconnect_worker"));
        command.args(["host", "--socket"]).arg(self.socket());
        command.env("PYTHONPATH", self.at("image"));
        Host(command.spawn().unwrap())
    }

    /// What a command for the host's container prints, and whether it says that all is well.
    pub(crate) fn ask_host(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = self.container("asked", HOST);
        command
            .arg(interpreter())
            .arg("-I")
            .arg(self.at("flexconnect/flexconnect_worker"));
        let output = command
            .args(arguments)
            .arg("--socket")
            .arg(self.socket())
            .output()
            .unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    }
}

impl Host {
    /// The processes in the container, as seen from outside; the first is the host.
    pub(crate) fn processes(&self) -> Vec<i32> {
        descendants(i32::try_from(self.0.id()).unwrap())
    }

    /// Ends everything in the container in one moment, as the kernel does when it is out of memory.
    pub(crate) fn kill(self) {
        drop(self);
    }

    /// Whether the host runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        match self.processes().first() {
            Some(&first) => kill(first),
            None => drop(self.0.kill()),
        }
        let _ = self.0.wait();
    }
}
