//! What stands between an operator and its API server, and can make it look stopped or gone.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How the API server looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It answers.
    Running,
    /// Connections are accepted, and nothing moves on any of them: a process that was stopped.
    Stopped,
    /// Connections break, and new ones are ended at once.
    Gone,
}

/// A way to the API server.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    mode: Arc<watch::Sender<Mode>>,
}

impl Proxy {
    /// A way to this address.
    ///
    /// # Errors
    /// When nothing can be listened on.
    pub async fn start(to: String) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (mode, modes) = watch::channel(Mode::Running);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (to, mut modes) = (to.clone(), modes.clone());
                tokio::spawn(async move {
                    let gone = {
                        let mut modes = modes.clone();
                        async move { modes.wait_for(|mode| *mode == Mode::Gone).await.map(drop) }
                    };
                    tokio::select! {
                        _ = gone => {}
                        () = carry(near, &to, &mut modes) => {}
                    }
                });
            }
        });
        Ok(Self {
            address,
            mode: Arc::new(mode),
        })
    }

    /// From now on the API server looks like this.
    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

async fn carry(near: TcpStream, to: &str, modes: &mut watch::Receiver<Mode>) {
    let is_running = |mode: &Mode| *mode == Mode::Running;
    if modes.wait_for(is_running).await.is_err() {
        return;
    }
    let Ok(far) = TcpStream::connect(to).await else { return };
    let ((mut near_in, mut near_out), (mut far_in, mut far_out)) = (near.into_split(), far.into_split());
    let mut one = modes.clone();
    let there = async {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(length @ 1..) = near_in.read(&mut buffer).await {
            if one.wait_for(is_running).await.is_err() || far_out.write_all(&buffer[..length]).await.is_err() {
                break;
            }
        }
    };
    let mut other = modes.clone();
    let back = async {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(length @ 1..) = far_in.read(&mut buffer).await {
            if other.wait_for(is_running).await.is_err() || near_out.write_all(&buffer[..length]).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = there => {}
        () = back => {}
    }
}
