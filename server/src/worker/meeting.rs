//! The socket where server and host meet: in a private folder with the Python side, or where another container finds it.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use super::error::SocketError;
use super::folder::Folder;
use super::wire::Listener;

/// Whoever is in the group of the socket may connect: there is no other name that two containers have in common.
const GROUP: u32 = 0o660;
const OWNER: u32 = 0o600;

/// Where server and host meet.
#[derive(Debug)]
pub(super) enum Meeting {
    /// In a folder of this process; the host is its child.
    Private(Folder),
    /// On a volume that the host's container has as well.
    Shared(Socket),
}

/// A socket that is removed when dropped, unless it is another's by then.
#[derive(Debug)]
pub(super) struct Socket {
    path: PathBuf,
    identity: Option<Identity>,
}

impl Meeting {
    pub(super) fn socket(&self) -> PathBuf {
        match self {
            Self::Private(folder) => folder.socket(),
            Self::Shared(socket) => socket.path.clone(),
        }
    }
}

/// Listens in a folder of this process.
pub(super) fn privately(parent: &Path) -> io::Result<(Folder, Listener)> {
    let folder = Folder::unpack(parent)?;
    let listener = Listener::bind(&folder.socket(), OWNER)?;
    Ok((folder, listener))
}

/// Listens on a socket that others know of. One that a killed server has left is replaced.
pub(super) fn openly(path: &Path) -> Result<(Socket, Listener), SocketError> {
    let path = path.to_owned();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new(".")).to_owned();
    match fs::symlink_metadata(&path) {
        Ok(found) if !found.file_type().is_socket() => return Err(SocketError::Else { path }),
        Ok(_) => match Listener::is_taken(&path) {
            Ok(true) => return Err(SocketError::Taken { path }),
            Ok(false) => fs::remove_file(&path).map_err(|error| refused(&path, &folder, error))?,
            Err(error) => return Err(refused(&path, &folder, error)),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound && !folder.is_dir() => {
            return Err(SocketError::NoFolder { folder });
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(refused(&path, &folder, error)),
    }
    let listener = Listener::bind(&path, GROUP).map_err(|error| refused(&path, &folder, error))?;
    let identity = identity(&path);
    Ok((Socket { path, identity }, listener))
}

/// Whether a server could listen on a socket, as far as can be told without doing so.
///
/// # Errors
/// When the folder is not there, or something else is in the socket's place.
pub(crate) fn check(path: &Path) -> Result<(), SocketError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(SocketError::NoFolder {
            folder: folder.to_owned(),
        });
    }
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => Err(SocketError::Else { path: path.to_owned() }),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn refused(path: &Path, folder: &Path, error: io::Error) -> SocketError {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => SocketError::Forbidden {
            folder: folder.to_owned(),
            user: rustix::process::geteuid().as_raw(),
            source: error,
        },
        io::ErrorKind::AddrInUse => SocketError::Taken { path: path.to_owned() },
        _ => SocketError::Io {
            path: path.to_owned(),
            source: error,
        },
    }
}

/// What a file is known by: numbers are used again, so its time is part of it.
type Identity = (u64, u64, (i64, i64));

fn identity(path: &Path) -> Option<Identity> {
    let found = fs::symlink_metadata(path).ok()?;
    Some((found.dev(), found.ino(), (found.ctime(), found.ctime_nsec())))
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.identity.is_some() && identity(&self.path) == self.identity {
            // The next server would replace it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn a_socket_is_for_its_group_and_that_of_a_killed_server_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("python.sock");
        let (socket, listener) = openly(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        assert!(matches!(openly(&path), Err(SocketError::Taken { .. })));
        drop(listener);
        let (next, _listening) = openly(&path).unwrap();
        drop(socket);
        assert!(path.exists(), "it is the next one's");
        drop(next);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn what_is_wrong_with_the_place_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "precious").unwrap();
        let _other = std::os::unix::net::UnixListener::bind(at("stream")).unwrap();
        for (name, expected) in [
            ("file", "is there already and no socket"),
            ("none/python.sock", "is not there: mount the volume"),
            ("stream", "somebody else listens"),
            ("file/python.sock", "cannot be opened"),
        ] {
            let text = openly(&at(name)).unwrap_err().to_string();
            assert!(text.contains(expected), "{name}: {text}");
        }
        assert!(matches!(check(&at("file")), Err(SocketError::Else { .. })));
        assert!(matches!(
            check(&at("none/python.sock")),
            Err(SocketError::NoFolder { .. })
        ));
        assert!(check(&at("python.sock")).is_ok());
        assert_eq!(fs::read_to_string(at("file")).unwrap(), "precious");
    }
}
