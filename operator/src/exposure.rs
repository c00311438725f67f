//! From addressing and exposure to the host and port under which each replica is reached. Pure.

use std::collections::BTreeSet;

use flexconnect_crds::REPLICA_PLACEHOLDER;

use crate::fleet::{Exposure, Tls, ValidatedFleet};
use crate::names::{FleetName, Namespace, Ordinal};

/// The port of the Flight service, in the pod and on every address in front of it.
pub const FLIGHT_PORT: u16 = 17001;

/// The port of the health endpoints, in the pod.
pub const HEALTH_PORT: u16 = 8877;

/// No URL of 255 characters names more hosts: the shortest address, `grpc://0.a:17001` and ';', has 17.
const MOST_HOSTS_OF_A_URL: u16 = 16;

/// Where one replica is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The replica.
    pub ordinal: Ordinal,
    /// Its host, as GoodData resolves it.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether it speaks TLS.
    pub tls: bool,
}

impl Endpoint {
    /// The URL as it stands in a data source and in the answers of the replica.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls { "grpc+tls" } else { "grpc" };
        format!("{scheme}://{}:{}", self.host, self.port)
    }
}

/// The addresses of the replicas that shall run, in order.
#[must_use]
pub fn endpoints(fleet: &ValidatedFleet) -> Vec<Endpoint> {
    fleet.ordinals().map(|ordinal| endpoint(fleet, ordinal)).collect()
}

/// The address of one replica, whether it shall run or not.
#[must_use]
pub fn endpoint(fleet: &ValidatedFleet, ordinal: Ordinal) -> Endpoint {
    let host = match &fleet.exposure {
        Exposure::ClusterIp => service_host(&fleet.name, &fleet.namespace, ordinal),
        Exposure::LoadBalancer { host_template, .. } => render(host_template, ordinal),
    };
    Endpoint {
        ordinal,
        host,
        port: FLIGHT_PORT,
        tls: fleet.tls == Tls::SelfSigned,
    }
}

/// What a container's environment says about its host; `$(…)` is expanded by the kubelet.
#[must_use]
pub fn advertised_host(fleet: &ValidatedFleet) -> String {
    match &fleet.exposure {
        Exposure::ClusterIp => format!("$(POD_NAME).{}.svc", fleet.namespace),
        Exposure::LoadBalancer { host_template, .. } => host_template.replace(REPLICA_PLACEHOLDER, "$(REPLICA)"),
    }
}

/// Every host that the certificate of the replicas has to cover.
#[must_use]
pub fn certificate_hosts(fleet: &ValidatedFleet) -> BTreeSet<String> {
    let headless = fleet.name.headless_service();
    let namespace = &fleet.namespace;
    let mut hosts = BTreeSet::from([
        "localhost".to_owned(),
        format!("*.{headless}.{namespace}.svc"),
        format!("*.{headless}.{namespace}.svc.cluster.local"),
    ]);
    // One more than wanted: it stands in for another one in a roll-out.
    for ordinal in (0..=fleet.replicas).map(Ordinal) {
        let endpoint = endpoint(fleet, ordinal);
        let short = service_host(&fleet.name, namespace, endpoint.ordinal);
        hosts.insert(format!("{short}.cluster.local"));
        hosts.insert(short);
        hosts.insert(endpoint.host);
    }
    hosts
}

/// Every host under which a data source may name a replica of this fleet, now or before a change of its exposure or
/// size: what tells our data sources from those of others.
#[must_use]
pub fn own_hosts(name: &FleetName, namespace: &Namespace, host_template: Option<&str>) -> BTreeSet<String> {
    let hosts_of = |ordinal| {
        let inside = service_host(name, namespace, ordinal);
        std::iter::once(inside).chain(host_template.map(|template| render(template, ordinal)))
    };
    (0..MOST_HOSTS_OF_A_URL).map(Ordinal).flat_map(hosts_of).collect()
}

/// A template with the number of a replica in it.
#[must_use]
pub fn render(template: &str, ordinal: Ordinal) -> String {
    template.replace(REPLICA_PLACEHOLDER, &ordinal.to_string())
}

/// The name that resolves inside the cluster, in its shortest form that does so from every namespace.
fn service_host(name: &FleetName, namespace: &Namespace, ordinal: Ordinal) -> String {
    format!("{}.{namespace}.svc", name.replica(ordinal))
}
