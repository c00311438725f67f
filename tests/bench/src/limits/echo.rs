//! An HTTP/2 server that does nothing: the limit of small calls.

use std::io::{BufRead as _, BufReader};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use bytes::Bytes;
use h2::SendStream;
use h2::server::SendResponse;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Response};
use tokio::net::{TcpListener, TcpStream};

use crate::client::Target;

/// A gRPC message of eight bytes.
const ANSWER: &[u8] = b"\0\0\0\0\x08echoecho";

/// The server as a process of its own. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Echo {
    child: Child,
    pub(crate) target: Target,
}

impl Echo {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("echo")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let output = child.stdout.take().context("the echo server has no output")?;
        BufReader::new(output).read_line(&mut line)?;
        let address = line
            .trim()
            .parse()
            .context("the echo server did not tell its address")?;
        Ok(Self {
            child,
            target: Target {
                address,
                tls: None,
                authorization: HeaderValue::from_static("none"),
            },
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server itself: prints its address, then answers until it is killed.
pub(crate) fn serve() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("{}", listener.local_addr()?);
        accept(listener).await
    })
}

async fn accept(listener: TcpListener) -> anyhow::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        // A client that goes away is no news.
        tokio::spawn(async { connection(stream).await.ok() });
    }
}

async fn connection(stream: TcpStream) -> Result<(), h2::Error> {
    let mut connection = h2::server::handshake(stream).await?;
    while let Some(accepted) = connection.accept().await {
        let (request, response) = accepted?;
        tokio::spawn(async move {
            let mut body = request.into_body();
            while let Some(Ok(chunk)) = body.data().await {
                body.flow_control().release_capacity(chunk.len()).ok();
            }
            answer(response).ok()
        });
    }
    Ok(())
}

fn answer(mut response: SendResponse<Bytes>) -> Result<(), h2::Error> {
    let mut head = Response::new(());
    head.headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    let mut body: SendStream<Bytes> = response.send_response(head, false)?;
    body.send_data(Bytes::from_static(ANSWER), false)?;
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    body.send_trailers(trailers)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::client::Frame;
    use crate::load::{Load, Step, Tally, Window, Work, drive};

    /// What the load client makes of the echo server in a tenth of a second.
    fn load(step: Step, clients: usize) -> anyhow::Result<Tally> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let target = Target {
            address: listener.local_addr()?,
            tls: None,
            authorization: HeaderValue::from_static("none"),
        };
        runtime.spawn(accept(listener));
        let load = Load {
            work: Work::call(step, "Echo", &json!({}), 0),
            clients,
            frame: Frame::Small,
            bulk: false,
        };
        drive(
            &target,
            &load,
            Window::after(Duration::ZERO, Duration::from_millis(100)),
        )
    }

    #[test]
    fn calls_are_counted_and_timed() {
        for clients in [1, 20] {
            let tally = load(Step::Echo, clients).unwrap();
            assert!(tally.calls > 0);
            assert!(tally.latency_ms(0.99) >= tally.latency_ms(0.5));
        }
    }

    #[test]
    fn a_call_whose_answer_is_wrong_is_an_error() {
        let error = load(Step::AskAndRead, 1).err().unwrap();
        assert!(format!("{error:#}").contains("not a FlightInfo"), "{error:#}");
    }
}
