//! The command line of the operator.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use kube::{Client, Config};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::controller::{self, Context, Patience, Scope};
use crate::dereference::SERVER_IMAGE;
use crate::local::{self, LocalArgs};
use crate::runtime::health::{self, Ready};
use crate::runtime::telemetry;

/// The API server gets this long to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// ... and this long to answer the next bytes. Watches get at least one in 295 seconds.
const READ_TIMEOUT: Duration = Duration::from_mins(5);

/// Runs fleets of FlexConnect servers, and registers them with GoodData.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 100,
    after_help = "\
Start here:
  flexconnect-operator local -f config/samples/quickstart.yaml    the fleet on this machine, without Kubernetes
  kubectl apply -k config/default                                 the operator in a cluster
  kubectl apply -f config/samples/quickstart.yaml                 a fleet there"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look after every `FlexConnectServer` of a cluster, until SIGTERM or Ctrl-C
    #[command(after_help = "\
The cluster is that of the pod this runs in, or else that of the kubeconfig (KUBECONFIG, ~/.kube/config).
RUST_LOG chooses what is logged: RUST_LOG=flexconnect_operator=debug.")]
    Run(RunArgs),

    /// Print the definition of the API: flexconnect-operator crd | kubectl apply --server-side -f -
    Crd,

    /// Run the fleet of a file as processes of this machine, and register it
    #[command(after_help = "\
The file is the one that `kubectl apply -f` takes: one FlexConnectServer, with the Secrets and ConfigMaps
that it names. Functions in Python run with the Python of VIRTUAL_ENV, or the first one on the PATH.
Changes of the file are followed. Ctrl-C drains the servers, and leaves nothing behind.")]
    Local(LocalArgs),
}

#[derive(Debug, clap::Args)]
struct RunArgs {
    /// Look after this namespace only. Then a role binding in that namespace is enough.
    #[arg(long, env = "FLEXCONNECT_NAMESPACE", value_name = "NAMESPACE")]
    namespace: Option<String>,

    /// The image of servers that name none of their own. A fleet keeps the one that it has, unless it says
    /// `server.upgrade: WithOperator`.
    #[arg(long, env = "FLEXCONNECT_SERVER_IMAGE", value_name = "IMAGE", default_value = SERVER_IMAGE)]
    server_image: String,

    /// Where /healthz and /readyz are served.
    #[arg(long, value_name = "HOST:PORT", default_value = "0.0.0.0:8081")]
    health_listen: SocketAddr,
}

/// Does what the command line asks for.
pub async fn run(cli: Cli) -> ExitCode {
    let outcome = match cli.command {
        Command::Run(arguments) => {
            telemetry::start();
            look_after(arguments).await
        }
        Command::Crd => print_crd(),
        Command::Local(arguments) => return local::run(arguments).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn print_crd() -> anyhow::Result<()> {
    use std::io::Write as _;
    let text = flexconnect_crds::crd_yaml().context("cannot write the definition as YAML")?;
    std::io::stdout()
        .write_all(text.as_bytes())
        .context("cannot write to standard output")
}

async fn look_after(arguments: RunArgs) -> anyhow::Result<()> {
    let mut config = Config::infer()
        .await
        .context("found no cluster: neither a pod's service account nor a kubeconfig")?;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    info!(cluster = %config.cluster_url, namespace = arguments.namespace, "starting");
    let client = Client::try_from(config).context("cannot use the configuration of the cluster")?;

    let shutdown = CancellationToken::new();
    let ready = Ready::default();
    let scope = arguments.namespace.map_or(Scope::Cluster, Scope::Namespace);
    let mut context = Context::new(client, scope, Patience::default());
    context.server_image = arguments.server_image;
    let context = Arc::new(context);
    let health = health::serve(arguments.health_listen, ready.clone(), shutdown.clone());
    let health = async {
        health
            .await
            .with_context(|| format!("cannot serve health on {}", arguments.health_listen))
    };
    let work = async {
        controller::run(context, ready, shutdown.clone()).await;
        anyhow::Ok(())
    };
    let stop = async {
        wait_for_signal().await?;
        info!("stopping: passes that have begun are finished");
        shutdown.cancel();
        anyhow::Ok(())
    };
    tokio::try_join!(health, work, stop).map(|_| ())
}

/// SIGTERM or Ctrl-C.
async fn wait_for_signal() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen to SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen to SIGINT")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
