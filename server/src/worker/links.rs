//! Connections of host and workers: who came, what they say, and a line to say something to each.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use subtle::ConstantTimeEq as _;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::keeper::{HostEnded, Process};
use super::shared::Shared;
use super::wire::{Connection, FromHost, FromWorker, Greeting, HostGreeting, Listener, Loaded, Packet, WireError};
use super::{lock, log, metrics};

/// How long a connection may take to say who it is.
const GREETING: Duration = Duration::from_secs(10);

/// Connections that have not said who they are.
const STRANGERS: usize = 256;

/// What the supervisor hears. What is of a host has its number, since the next one may be there already.
#[derive(Debug)]
pub(super) enum Heard {
    HostCame(HostGreeting, Connection),
    Host(u64, FromHost),
    HostGone(u64, WireError),
    HostEnded(HostEnded),
    WorkerCame(u64, Connection),
    Loaded(u64, Loaded),
    Unloadable {
        worker: u64,
        message: String,
        advice: Option<String>,
        traceback: Option<String>,
    },
    Health {
        worker: u64,
        module: String,
        status: String,
    },
    WorkerGone(u64, WireError),
    SlotCame(u64, Connection),
}

/// Who may be the host.
#[derive(Clone, Debug)]
pub(super) enum Who {
    /// The child of this process and nobody else.
    Child(Process),
    /// Whoever the socket's file lets in: processes of other containers have no numbers that mean anything here.
    Anybody,
}

impl Who {
    fn includes(&self, connection: &Connection) -> bool {
        match self {
            Self::Child(process) => process.id().is_some() && connection.process().ok() == process.id(),
            Self::Anybody => true,
        }
    }
}

/// Accepts connections, forever.
pub(super) async fn accept(listener: Listener, shared: Arc<Shared>, host: Who, heard: mpsc::Sender<Heard>) {
    let mut strangers = JoinSet::new();
    loop {
        let connection = match listener.accept().await {
            Ok(connection) => connection,
            Err(error) => {
                tracing::warn!(exception = %error, "python_connection_not_accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        while strangers.try_join_next().is_some() {}
        if strangers.len() < STRANGERS {
            strangers.spawn(greet(connection, Arc::clone(&shared), host.clone(), heard.clone()));
        }
    }
}

/// Finds out who is there. Who cannot prove it is left alone.
async fn greet(connection: Connection, shared: Arc<Shared>, host: Who, heard: mpsc::Sender<Heard>) {
    let Ok(Ok(packet)) = timeout(GREETING, connection.recv()).await else {
        return;
    };
    let is_ours = |worker: u64, key: &str| {
        let known = lock(&shared.keys).get(&worker).cloned();
        known.is_some_and(|known| known.as_bytes().ct_eq(key.as_bytes()).into())
    };
    let came = match packet.read::<Greeting>() {
        Ok(Greeting::Host(greeting)) if host.includes(&connection) => Heard::HostCame(greeting, connection),
        Ok(Greeting::Worker { worker, key }) if is_ours(worker, &key) => Heard::WorkerCame(worker, connection),
        Ok(Greeting::Slot { worker, key }) if is_ours(worker, &key) => Heard::SlotCame(worker, connection),
        Ok(Greeting::Host(_) | Greeting::Worker { .. } | Greeting::Slot { .. }) => {
            tracing::warn!("python_connection_without_key");
            return;
        }
        Err(error) => {
            tracing::warn!(%error, "python_connection_refused");
            return;
        }
    };
    // Nobody is there to take it when the server ends.
    let _ = heard.send(came).await;
}

/// A line to somebody, who may be slow to listen: what is said is sent in order, and saying never waits.
#[derive(Debug)]
pub(super) struct Line<T>(mpsc::UnboundedSender<(T, Vec<u8>)>);

impl<T: Serialize + Send + Sync + 'static> Line<T> {
    /// A line on a connection; what goes on there is one of the tasks.
    pub(super) fn open(connection: Arc<Connection>, tasks: &mut JoinSet<()>) -> Self {
        let (line, mut said) = mpsc::unbounded_channel::<(T, Vec<u8>)>();
        tasks.spawn(async move {
            while let Some((head, body)) = said.recv().await {
                // Who listens learns of the end too.
                if connection.send(&head, &body).await.is_err() {
                    return;
                }
            }
        });
        Self(line)
    }

    pub(super) fn say(&self, head: T) {
        self.say_with(head, Vec::new());
    }

    pub(super) fn say_with(&self, head: T, body: Vec<u8>) {
        let _ = self.0.send((head, body));
    }
}

/// Listens to a host until it is gone. What workers write goes to the log from here.
pub(super) async fn hear_host(
    number: u64,
    connection: Arc<Connection>,
    place: impl Fn(u64) -> usize + Send,
    heard: mpsc::Sender<Heard>,
) {
    let gone = loop {
        let packet = match connection.recv().await {
            Ok(packet) => packet,
            Err(error) => break error,
        };
        match packet.read() {
            Ok(FromHost::Output {
                worker,
                stream,
                dropped,
            }) => log::output(place(worker), stream, &packet.body, dropped),
            Ok(said) => {
                if heard.send(Heard::Host(number, said)).await.is_err() {
                    return;
                }
            }
            Err(malformed) => break malformed.into(),
        }
    };
    let _ = heard.send(Heard::HostGone(number, gone)).await;
}

/// Listens to a worker until it is gone. What it logs goes to the log from here.
pub(super) async fn hear_worker(
    worker: u64,
    connection: Arc<Connection>,
    shared: Arc<Shared>,
    heard: mpsc::Sender<Heard>,
) {
    let gone = loop {
        let packet = match connection.recv().await {
            Ok(packet) => packet,
            Err(error) => break error,
        };
        match understand(worker, &packet, &shared) {
            Ok(None) => {}
            Ok(Some(said)) => {
                if heard.send(said).await.is_err() {
                    return;
                }
            }
            Err(error) => break error,
        }
    };
    let _ = heard.send(Heard::WorkerGone(worker, gone)).await;
}

pub(super) fn understand(worker: u64, packet: &Packet, shared: &Shared) -> Result<Option<Heard>, WireError> {
    Ok(match packet.read()? {
        FromWorker::Loaded => Some(Heard::Loaded(worker, packet.read_body()?)),
        FromWorker::Unloadable {
            message,
            advice,
            traceback,
        } => Some(Heard::Unloadable {
            worker,
            message,
            advice,
            traceback,
        }),
        FromWorker::Log { events, dropped } => {
            for event in events {
                log::event(event, &shared.tasks);
            }
            if dropped > 0 {
                tracing::warn!(worker, lines = dropped, "python_log_lines_dropped");
            }
            None
        }
        FromWorker::Health { module, status } => Some(Heard::Health { worker, module, status }),
        FromWorker::Metrics => {
            metrics::take(shared, worker, &packet.body);
            None
        }
    })
}
