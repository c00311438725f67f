//! The dereference step: reads what the object refers to, and what there is of the fleet already.

mod references;

use std::fmt;
use std::net::IpAddr;

use flexconnect_crds::FlexConnectServer;
use futures::{StreamExt as _, TryStreamExt as _, future, stream};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::ListParams;
use kube::{Api, Client, Resource, ResourceExt as _};
pub use references::{References, SERVER_IMAGE, named_secrets};

use crate::build::{APPLICATION, INSTANCE_LABEL, MANAGED_BY_LABEL, NAME_LABEL, OPERATOR, Policies, Secrets, selector};
use crate::fleet::ValidatedFleet;
use crate::names::{FleetName, Ordinal};

/// How many requests of one pass are on their way at the same time.
const CONCURRENT_READS: usize = 8;

/// What there is of a fleet, whoever made it.
#[derive(Clone, Default)]
pub struct Observed {
    /// The Secrets with the names of the fleet's own.
    pub secrets: Secrets,
    /// The `ConfigMap` with the name of the configuration.
    pub config: Option<ConfigMap>,
    /// What has the name of the fleet and would guard or scale it.
    pub policies: Policies,
    /// The Services with the labels of the fleet.
    pub services: Vec<Service>,
    /// The `StatefulSet` with the name of the fleet.
    pub stateful_set: Option<StatefulSet>,
}

impl fmt::Debug for Observed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let services = self
            .services
            .iter()
            .map(kube::ResourceExt::name_any)
            .collect::<Vec<_>>();
        formatter
            .debug_struct("Observed")
            .field("services", &services)
            .finish_non_exhaustive()
    }
}

impl Observed {
    /// The keys and tokens that are the fleet's own. Those in a Secret of another owner are none of ours.
    #[must_use]
    pub fn kept(&self, uid: Option<&str>) -> Secrets {
        let own = |secret: &Option<Secret>| secret.clone().filter(|secret| is_owned(secret, uid));
        let Secrets {
            ca,
            tls,
            token,
            settings,
        } = &self.secrets;
        Secrets {
            ca: own(ca),
            tls: own(tls),
            token: own(token),
            settings: own(settings),
        }
    }

    /// How many replicas still run, wanted or not.
    #[must_use]
    pub fn serving(&self) -> u16 {
        let status = self.stateful_set.as_ref().and_then(|set| set.status.as_ref());
        status
            .and_then(|status| u16::try_from(status.replicas).ok())
            .unwrap_or(0)
    }
}

/// Whether an object is controlled by the owner with this uid.
#[must_use]
pub fn is_owned<K: Resource>(object: &K, uid: Option<&str>) -> bool {
    let owners = object.meta().owner_references.as_deref().unwrap_or_default();
    uid.is_some()
        && owners
            .iter()
            .any(|owner| owner.controller == Some(true) && Some(owner.uid.as_str()) == uid)
}

/// Reads what an object refers to: the Secrets that it names, without those that are not there, and the image of servers
/// that it may leave out.
///
/// # Errors
/// When the API server does not answer, or forbids it.
pub async fn read_references(
    client: &Client,
    object: &FlexConnectServer,
    server_image: &str,
) -> kube::Result<References> {
    let api = Api::<Secret>::namespaced(client.clone(), &object.namespace().unwrap_or_default());
    let reads = named_secrets(&object.spec).into_iter().map(|name| api.get_opt(name));
    let reads = reads.collect::<Vec<_>>();
    let secrets: Vec<_> = stream::iter(reads).buffered(CONCURRENT_READS).try_collect().await?;
    let references = secrets.into_iter().flatten().collect::<References>();
    Ok(references.with_server_image(server_image))
}

/// Reads what there is of a fleet. Nothing is there of an object whose name no fleet can have.
///
/// # Errors
/// When the API server does not answer, or forbids it.
pub async fn observe(client: &Client, object: &FlexConnectServer) -> kube::Result<Observed> {
    let Some(name) = FleetName::parse(&object.name_any()) else {
        return Ok(Observed::default());
    };
    let namespace = object.namespace().unwrap_or_default();
    let secrets = Api::<Secret>::namespaced(client.clone(), &namespace);
    let configs = Api::<ConfigMap>::namespaced(client.clone(), &namespace);
    let services = Api::<Service>::namespaced(client.clone(), &namespace);
    let stateful_sets = Api::<StatefulSet>::namespaced(client.clone(), &namespace);
    let labelled = ListParams::default().labels(&format!(
        "{NAME_LABEL}={APPLICATION},{INSTANCE_LABEL}={name},{MANAGED_BY_LABEL}={OPERATOR}"
    ));
    let (ca_name, tls_name, token_name) = (name.ca_secret(), name.tls_secret(), name.token_secret());
    let settings_name = name.settings_secret();
    let (config_name, set_name) = (name.config_map(), name.stateful_set());
    let ((ca, tls, token, settings), (config, services, stateful_set)) = future::try_join(
        future::try_join4(
            secrets.get_opt(&ca_name),
            secrets.get_opt(&tls_name),
            secrets.get_opt(&token_name),
            secrets.get_opt(&settings_name),
        ),
        future::try_join3(
            configs.get_opt(&config_name),
            services.list(&labelled),
            stateful_sets.get_opt(&set_name),
        ),
    )
    .await?;
    let policies = policies(client, &namespace, name.as_str()).await?;
    Ok(Observed {
        policies,
        secrets: Secrets {
            ca,
            tls,
            token,
            settings,
        },
        config,
        services: services.items,
        stateful_set,
    })
}

async fn policies(client: &Client, namespace: &str, name: &str) -> kube::Result<Policies> {
    let budgets = Api::<PodDisruptionBudget>::namespaced(client.clone(), namespace);
    let autoscalers = Api::<HorizontalPodAutoscaler>::namespaced(client.clone(), namespace);
    let networks = Api::<NetworkPolicy>::namespaced(client.clone(), namespace);
    let (budget, autoscaler, network) =
        future::try_join3(budgets.get_opt(name), autoscalers.get_opt(name), networks.get_opt(name)).await?;
    Ok(Policies {
        budget,
        autoscaler,
        network,
    })
}

/// The pod of a replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaPod {
    /// Which replica it is.
    pub ordinal: Ordinal,
    /// Whether it is ready.
    pub ready: bool,
    /// Where it is reached inside the cluster, once that is known.
    pub address: Option<IpAddr>,
}

/// Reads the pods of a fleet.
///
/// # Errors
/// When the API server does not answer, or forbids it.
pub async fn read_pods(client: &Client, fleet: &ValidatedFleet) -> kube::Result<Vec<Pod>> {
    let pods = Api::<Pod>::namespaced(client.clone(), fleet.namespace.as_str());
    let labels = selector(fleet);
    let labels = labels.iter().map(|(key, value)| format!("{key}={value}"));
    let labels = labels.collect::<Vec<_>>().join(",");
    let pods = pods.list(&ListParams::default().labels(&labels)).await?;
    Ok(pods.items)
}

/// A pod as a replica; None when its name has no number.
#[must_use]
pub fn replica_pod(pod: &Pod) -> Option<ReplicaPod> {
    let address = pod.status.as_ref().and_then(|status| status.pod_ip.as_ref());
    Some(ReplicaPod {
        ordinal: ordinal(pod)?,
        ready: is_ready(pod),
        address: address.and_then(|address| address.parse().ok()),
    })
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_deref())
        .unwrap_or_default();
    conditions
        .iter()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn ordinal(pod: &Pod) -> Option<Ordinal> {
    let (_, ordinal) = pod.metadata.name.as_deref()?.rsplit_once('-')?;
    ordinal.parse().ok().map(Ordinal)
}
