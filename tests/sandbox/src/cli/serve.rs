//! `serve`: the sandbox as a process.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};

use clap::Args;
use flexconnect_sandbox::{
    ConnectionTest, DEFAULT_ORGANIZATION, DEFAULT_TOKEN, Fault, Options, Profile, Sandbox, Variant,
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::Failure;

const EXAMPLES: &str = "\
Faults (--fault may be given several times; PUT /sandbox/faults changes them while it runs):
  KIND[=VALUE][:COUNT][@[METHOD ]PATH]     COUNT ends the fault after that many calls, PATH is how a path starts
  down                503 in plain text, as a gateway with nothing behind it
  gateway-error       500 in plain text
  server-error        500 as problem+json
  slow=2s             every call waits first
  unauthorized        401 whatever the token
  garbage             200 with a body that is no JSON
  rate-limited=5      429 with Retry-After: 5
  reset-after-write   applies a write, then resets the connection in place of the answer
  canonical-url       stores another spelling of a data source's url than the one sent

Examples:
  flexconnect-sandbox serve
  flexconnect-sandbox serve --listen 127.0.0.1:0 --profile lenient
  flexconnect-sandbox serve --fault down:3 --fault 'slow=2s@POST /api/v1/entities/dataSources'
  curl -H 'Authorization: Bearer sandbox-token' http://127.0.0.1:3000/api/v1/entities/dataSources
  curl -H 'Authorization: Bearer sandbox-token' http://127.0.0.1:3000/sandbox/requests";

/// Serve GoodData's API until Ctrl-C or SIGTERM.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Serve {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 3000)))]
    listen: SocketAddr,
    /// The organization's host name: requests for any other get 404 [default: every name is accepted].
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// The organization's id.
    #[arg(long, value_name = "ID", default_value = DEFAULT_ORGANIZATION)]
    organization: String,
    /// The API token of a user with every right.
    #[arg(long, default_value = DEFAULT_TOKEN)]
    token: SecretString,
    /// The API token of a user without rights, for whom every data source looks missing.
    #[arg(long, value_name = "TOKEN")]
    viewer_token: Option<SecretString>,
    /// What a query does when a server cannot be reached.
    #[arg(long, value_enum, default_value_t)]
    profile: Profile,
    /// What the connection test of a data source does.
    #[arg(long, value_enum, default_value_t)]
    connection_test: ConnectionTest,
    /// Answer a corner of the API that no document settles the other way.
    #[arg(long = "variant", value_enum, value_name = "VARIANT")]
    variants: Vec<Variant>,
    /// Do something wrong on purpose, see below.
    #[arg(long = "fault", value_name = "FAULT")]
    faults: Vec<Fault>,
}

impl Serve {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(io::stderr)
            .init();
        let handler = |kind| signal(kind).map_err(|error| Failure::of(&error));
        let mut terminated = handler(SignalKind::terminate())?;
        let mut interrupted = handler(SignalKind::interrupt())?;
        let token = self.token.clone();
        let summary = format!(
            "organization {}, token {}, profile {}, connection test {}",
            self.organization,
            token.expose_secret(),
            name_of(&self.profile),
            name_of(&self.connection_test),
        );
        let sandbox = Sandbox::start(self.into()).await.map_err(|error| Failure::of(&error))?;
        // Nobody may be reading, which is no reason to stop.
        let _ = writeln!(
            io::stdout(),
            "stands in for GoodData on {}\n{summary}",
            sandbox.endpoint()
        );
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
        sandbox.stop().await;
        Ok(())
    }
}

impl From<Serve> for Options {
    fn from(serve: Serve) -> Self {
        let Serve {
            listen,
            host,
            organization,
            token,
            viewer_token,
            profile,
            connection_test,
            variants,
            faults,
        } = serve;
        let variants = variants.into_iter().collect();
        Self {
            listen,
            host,
            organization,
            token,
            viewer_token,
            profile,
            connection_test,
            variants,
            faults,
        }
    }
}

/// A choice as the command line spells it.
fn name_of(choice: &impl clap::ValueEnum) -> String {
    choice
        .to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}
