//! Closed loop: so many clients, each of which makes its next call when it has the answer to the last.

use std::cell::RefCell;
use std::rc::Rc;
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, anyhow};
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;

use super::tally::{Tally, Window};
use super::work::{Event, Work, call};
use crate::client::{CallError, Connection, Frame, Target, connect};

/// More connections than this bring nothing but their own cost.
const CONNECTIONS: usize = 8;
const BULK_THREADS: usize = 2;

/// How hard a server is called.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) work: Work,
    /// Clients, each with one call at a time.
    pub(crate) clients: usize,
    pub(crate) frame: Frame,
    /// Many bytes a call: a connection for each client, on up to two threads. Otherwise one thread does it all.
    pub(crate) bulk: bool,
}

/// Calls a server until the window closes. The first call that fails, or has not the rows that it should, is an error.
pub(crate) fn drive(target: &Target, load: &Load, window: Window) -> anyhow::Result<Tally> {
    let threads = if load.bulk { load.clients.min(BULK_THREADS) } else { 1 };
    let connections = if load.bulk {
        load.clients
    } else {
        load.clients.min(CONNECTIONS)
    };
    let mut tally = Tally::new()?;
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|thread| {
                let connections = share(connections, threads, thread);
                let clients = share(load.clients, threads, thread);
                scope.spawn(move || runtime()?.block_on(run(target, load, window, connections, clients)))
            })
            .collect();
        for thread in running {
            let part = thread
                .join()
                .map_err(|_| anyhow!("a thread of the load client panicked"))??;
            tally.add(&part)?;
        }
        Ok(tally)
    })
}

/// A runtime for one thread of clients.
pub(crate) fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start a runtime")
}

/// How many of `count` things thread number `index` gets.
const fn share(count: usize, threads: usize, index: usize) -> usize {
    count / threads + if index < count % threads { 1 } else { 0 }
}

async fn run(
    target: &Target,
    load: &Load,
    window: Window,
    connections: usize,
    clients: usize,
) -> anyhow::Result<Tally> {
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        open.push(connect(target, load.frame).await?);
    }
    let tally = Rc::new(RefCell::new(Tally::new()?));
    let local = LocalSet::new();
    let running: Vec<_> = (0..clients)
        .map(|client| {
            let connection = open[client % connections].clone();
            local.spawn_local(repeat(connection, load.work.clone(), window, Rc::clone(&tally)))
        })
        .collect();
    local
        .run_until(async {
            for client in running {
                client
                    .await
                    .context("a client panicked")?
                    .with_context(|| format!("a call of {} failed", target.address))?;
            }
            anyhow::Ok(())
        })
        .await?;
    Ok(tally.replace(Tally::new()?))
}

async fn repeat(
    connection: Connection,
    work: Work,
    window: Window,
    tally: Rc<RefCell<Tally>>,
) -> Result<(), CallError> {
    let mut began = Instant::now();
    while began < window.end {
        let mut asked = None;
        let told = |event| {
            let now = Instant::now();
            match event {
                Event::AskedToRead => asked = Some(now),
                Event::Arrived(chunk) => {
                    let mut tally = tally.borrow_mut();
                    if let Some(asked) = asked.take() {
                        tally.first_byte(&window, asked, now);
                    }
                    tally.chunk(&window, now, chunk);
                }
            }
        };
        call(&connection, &work, told).await?;
        let ended = Instant::now();
        tally.borrow_mut().call(&window, began, ended);
        began = ended;
    }
    Ok(())
}
