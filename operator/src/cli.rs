//! The command line of the operator.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use crate::local::{self, LocalArgs};
use crate::rbac::{self, Roles};
use crate::run::{self, RunArgs};

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
The cluster is that of the pod this runs in, or else that of the kubeconfig (KUBECONFIG, ~/.kube/config). Of several
operators one works, and the others stand by. RUST_LOG chooses what is logged: RUST_LOG=flexconnect_operator=debug.
Traces go to OTEL_EXPORTER_OTLP_ENDPOINT, when that is set.")]
    Run(RunArgs),

    /// Print the definition of the API: flexconnect-operator crd | kubectl apply --server-side -f -
    Crd,

    /// Print the rights that the operator needs: flexconnect-operator rbac | kubectl apply -f -
    Rbac(RbacArgs),

    /// Run the fleet of a file as processes of this machine, and register it
    #[command(after_help = "\
The file is the one that `kubectl apply -f` takes: one FlexConnectServer, with the Secrets and ConfigMaps
that it names. Functions in Python run with the Python of VIRTUAL_ENV, or the first one on the PATH.
Changes of the file are followed. Ctrl-C drains the servers, and leaves nothing behind.")]
    Local(LocalArgs),
}

/// For whom the roles are.
#[derive(Debug, clap::Args)]
struct RbacArgs {
    /// A namespace to look after; may be given several times. Without it all of them.
    #[arg(long = "namespace", value_name = "NAMESPACE")]
    namespaces: Vec<String>,

    /// Where the service account of the operator and its Lease are.
    #[arg(long, value_name = "NAMESPACE", default_value = rbac::NAMESPACE)]
    operator_namespace: String,

    /// The Lease of the operator that leads.
    #[arg(long, value_name = "NAME", default_value = rbac::LEASE)]
    lease_name: String,
}

/// Does what the command line asks for.
pub async fn run(cli: Cli) -> ExitCode {
    let outcome = match cli.command {
        Command::Run(arguments) => run::run(arguments).await,
        Command::Crd => flexconnect_crds::crd_yaml()
            .context("cannot write the definition as YAML")
            .and_then(|text| print(&text)),
        Command::Rbac(RbacArgs {
            namespaces,
            operator_namespace,
            lease_name: lease,
        }) => print(
            &Roles {
                namespaces,
                operator_namespace,
                lease,
            }
            .yaml(),
        ),
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

fn print(text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    std::io::stdout()
        .write_all(text.as_bytes())
        .context("cannot write to standard output")
}
