//! The operator in a cluster: stands for election, works while it leads, tells how it is.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use kube::Config;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::controller::{self, Context, Patience, Scope};
use crate::dereference::SERVER_IMAGE;
use crate::rbac;
use crate::runtime::fence::Fence;
use crate::runtime::health::{Health, Passes};
use crate::runtime::lease::{Election, Terms};
use crate::runtime::metrics::Metrics;
use crate::runtime::{allocator, api, telemetry};

/// A lease that is shorter is lost whenever the API server takes a breath.
const SHORTEST_LEASE: Duration = Duration::from_secs(3);
/// What the API server accepts, and what still notices a watch that died.
const WATCH_TIMES: std::ops::RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_hours(1);

/// How the operator runs in a cluster.
#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    /// Look after this namespace only; may be given several times. Roles in these namespaces are enough then.
    #[arg(
        long = "namespace",
        env = "FLEXCONNECT_NAMESPACES",
        value_delimiter = ',',
        value_name = "NAMESPACE"
    )]
    namespaces: Vec<String>,

    /// The image of servers that name none of their own. A fleet keeps the one that it has, unless it says
    /// `server.upgrade: WithOperator`.
    #[arg(long, env = "FLEXCONNECT_SERVER_IMAGE", value_name = "IMAGE", default_value = SERVER_IMAGE)]
    server_image: String,

    /// Where /live, /ready and /metrics are served.
    #[arg(
        long,
        env = "FLEXCONNECT_LISTEN",
        value_name = "HOST:PORT",
        default_value = "0.0.0.0:8081"
    )]
    listen: SocketAddr,

    /// The Lease of the operator that leads. Operators that share it take turns.
    #[arg(long, env = "FLEXCONNECT_LEASE_NAME", value_name = "NAME", default_value = rbac::LEASE)]
    lease_name: String,

    /// The namespace of the Lease. Without it that of this pod, or of the kubeconfig.
    #[arg(long, env = "FLEXCONNECT_LEASE_NAMESPACE", value_name = "NAMESPACE")]
    lease_namespace: Option<String>,

    /// After this long without a sign of the leader another operator leads. The leader renews it five times in this time,
    /// and stops when it could not for 70 % of it.
    #[arg(long, env = "FLEXCONNECT_LEASE_DURATION", value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    lease_duration: Duration,

    /// How long a watch lasts before it is begun anew. Choose less than the idle time of a load balancer in front of the
    /// API server.
    #[arg(long, env = "FLEXCONNECT_WATCH_TIMEOUT", value_name = "TIME", default_value = "200s", value_parser = humantime::parse_duration)]
    watch_timeout: Duration,
}

impl RunArgs {
    fn check(&self) -> anyhow::Result<()> {
        if self.lease_duration < SHORTEST_LEASE {
            bail!("--lease-duration must be at least {SHORTEST_LEASE:?}");
        }
        if !WATCH_TIMES.contains(&self.watch_timeout) {
            bail!("--watch-timeout must be from 5s to 1h");
        }
        Ok(())
    }
}

/// Runs until SIGTERM or Ctrl-C.
pub(crate) async fn run(arguments: RunArgs) -> anyhow::Result<()> {
    arguments.check()?;
    // Until the end: what is left of the spans is sent when it is dropped.
    let _telemetry = telemetry::start()?;
    allocator::give_back_unused();
    let config = Config::infer()
        .await
        .context("found no cluster: neither a pod's service account nor a kubeconfig")?;
    let lease_namespace = arguments
        .lease_namespace
        .unwrap_or_else(|| config.default_namespace.clone());
    info!(cluster = %config.cluster_url, namespaces = ?arguments.namespaces, "starting");

    let (metrics, fence) = (Metrics::new(), Fence::closed());
    let connect = |fence: &Fence| {
        api::client(config.clone(), fence.clone(), metrics.clone())
            .context("cannot use the configuration of the cluster")
    };
    let passes = Passes::default();
    let mut context = Context::new(connect(&fence)?, Scope::of(arguments.namespaces), Patience::default())
        .conducted(fence.clone(), metrics.clone(), passes.clone())
        .watching_for(arguments.watch_timeout);
    context.server_image = arguments.server_image;
    let context = Arc::new(context);
    let terms = Terms::of(arguments.lease_duration);
    let election = Election::new(
        connect(&Fence::default())?,
        &lease_namespace,
        &arguments.lease_name,
        terms,
        fence,
        metrics.clone(),
    );

    let health = Health::new(passes, controller::LONGEST_PASS, metrics);
    let shutdown = CancellationToken::new();
    health
        .serve(arguments.listen, shutdown.clone())
        .with_context(|| format!("cannot serve health and metrics on {}", arguments.listen))?;
    let work = |stop| controller::run(Arc::clone(&context), health.ready.clone(), stop);
    let stop = async {
        wait_for_signal().await?;
        info!("stopping");
        shutdown.cancel();
        std::future::pending::<anyhow::Result<()>>().await
    };
    tokio::select! {
        () = election.run(work, || health.ready.set(), shutdown.clone()) => Ok(()),
        () = health.beat() => Ok(()),
        failed = stop => failed,
    }
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
