//! The Services: one for the names of the pods, and one in front of each replica.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::stateful_set::FLIGHT_PORT_NAME;
use super::{metadata, selector};
use crate::exposure::{FLIGHT_PORT, render};
use crate::fleet::{Exposure, ValidatedFleet};
use crate::names::Ordinal;

/// The label by which Kubernetes itself names a pod of a `StatefulSet`. Unlike our own labels it never changes.
const POD_NAME_LABEL: &str = "statefulset.kubernetes.io/pod-name";

pub(super) fn headless(fleet: &ValidatedFleet) -> Service {
    Service {
        metadata: metadata(fleet, fleet.name.headless_service()),
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".to_owned()),
            publish_not_ready_addresses: Some(true),
            selector: Some(selector(fleet)),
            ports: Some(vec![flight_port()]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

/// A Service for each replica that shall run or still runs.
#[must_use]
pub fn replicas(fleet: &ValidatedFleet, serving: u16) -> Vec<Service> {
    (0..fleet.replicas.max(serving))
        .map(|ordinal| replica(fleet, Ordinal(ordinal)))
        .collect()
}

fn replica(fleet: &ValidatedFleet, ordinal: Ordinal) -> Service {
    let name = fleet.name.replica(ordinal);
    let mut metadata = metadata(fleet, name.clone());
    let kind = match &fleet.exposure {
        Exposure::ClusterIp => "ClusterIP",
        Exposure::LoadBalancer { annotations, .. } => {
            let rendered = annotations
                .iter()
                .map(|(key, value)| (key.clone(), render(value, ordinal)));
            metadata.annotations = Some(rendered.collect());
            "LoadBalancer"
        }
    };
    Service {
        metadata,
        spec: Some(ServiceSpec {
            type_: Some(kind.to_owned()),
            // A replica that drains is not ready, and its results are still read.
            publish_not_ready_addresses: Some(true),
            selector: Some(BTreeMap::from([(POD_NAME_LABEL.to_owned(), name)])),
            ports: Some(vec![flight_port()]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

fn flight_port() -> ServicePort {
    ServicePort {
        name: Some(FLIGHT_PORT_NAME.to_owned()),
        port: FLIGHT_PORT.into(),
        target_port: Some(IntOrString::String(FLIGHT_PORT_NAME.to_owned())),
        protocol: Some("TCP".to_owned()),
        ..ServicePort::default()
    }
}
