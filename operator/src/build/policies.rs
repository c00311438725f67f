//! What guards and scales the pods: budget, autoscaler, network policy.

use std::collections::BTreeMap;

use flexconnect_crds::FlexConnectServer;
use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, MetricIdentifier, MetricSpec,
    MetricTarget, PodsMetricSource, ResourceMetricSource,
};
use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::Resource as _;

use super::stateful_set::pods;
use super::{NAME_LABEL, OPERATOR, metadata};
use crate::exposure::{FLIGHT_PORT, HEALTH_PORT};
use crate::fleet::{Budget, ValidatedFleet};

/// The server's gauge of calls that wait.
const QUEUE_METRIC: &str = "gdfs_task_queue";

/// What guards and scales the pods, as far as it is asked for.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    /// How many replicas those who empty nodes may take.
    pub budget: Option<PodDisruptionBudget>,
    /// Who changes the number of replicas.
    pub autoscaler: Option<HorizontalPodAutoscaler>,
    /// From where the replicas may be reached.
    pub network: Option<NetworkPolicy>,
}

pub(super) fn policies(fleet: &ValidatedFleet) -> Policies {
    Policies {
        budget: Some(budget(fleet)),
        autoscaler: autoscaler(fleet),
        network: network(fleet),
    }
}

fn budget(fleet: &ValidatedFleet) -> PodDisruptionBudget {
    let (max_unavailable, min_available) = match &fleet.budget {
        Budget::MaxUnavailable(amount) => (Some(amount.clone()), None),
        Budget::MinAvailable(amount) => (None, Some(amount.clone())),
    };
    PodDisruptionBudget {
        metadata: metadata(fleet, fleet.name.to_string()),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable,
            min_available,
            selector: Some(pods(fleet)),
            // A pod that answers nobody must not keep its node from being emptied.
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
        }),
        status: None,
    }
}

fn autoscaler(fleet: &ValidatedFleet) -> Option<HorizontalPodAutoscaler> {
    let autoscaling = fleet.autoscaling?;
    let cpu = autoscaling.cpu_utilization.map(|percent| MetricSpec {
        type_: "Resource".to_owned(),
        resource: Some(ResourceMetricSource {
            name: "cpu".to_owned(),
            target: MetricTarget {
                type_: "Utilization".to_owned(),
                average_utilization: Some(percent.into()),
                ..MetricTarget::default()
            },
        }),
        ..MetricSpec::default()
    });
    let queue = autoscaling.queue_length.map(|length| MetricSpec {
        type_: "Pods".to_owned(),
        pods: Some(PodsMetricSource {
            metric: MetricIdentifier {
                name: QUEUE_METRIC.to_owned(),
                selector: None,
            },
            target: MetricTarget {
                type_: "AverageValue".to_owned(),
                average_value: Some(Quantity(length.to_string())),
                ..MetricTarget::default()
            },
        }),
        ..MetricSpec::default()
    });
    Some(HorizontalPodAutoscaler {
        metadata: metadata(fleet, fleet.name.to_string()),
        spec: Some(HorizontalPodAutoscalerSpec {
            min_replicas: Some(autoscaling.least.into()),
            max_replicas: autoscaling.most.into(),
            metrics: Some(cpu.into_iter().chain(queue).collect()),
            // Our own scale subresource: the operator takes a replica out of the data sources before it goes.
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some(FlexConnectServer::api_version(&()).into_owned()),
                kind: FlexConnectServer::kind(&()).into_owned(),
                name: fleet.name.to_string(),
            },
            behavior: None,
        }),
        status: None,
    })
}

fn network(fleet: &ValidatedFleet) -> Option<NetworkPolicy> {
    let asked = fleet.network_policy.as_ref()?;
    let operator = NetworkPolicyPeer {
        namespace_selector: Some(LabelSelector::default()),
        pod_selector: Some(LabelSelector {
            match_labels: Some(BTreeMap::from([(NAME_LABEL.to_owned(), OPERATOR.to_owned())])),
            ..LabelSelector::default()
        }),
        ip_block: None,
    };
    let rule = |port: u16, from: &[NetworkPolicyPeer]| NetworkPolicyIngressRule {
        from: Some(from.iter().cloned().chain([operator.clone()]).collect()),
        ports: Some(vec![NetworkPolicyPort {
            port: Some(IntOrString::Int(port.into())),
            protocol: Some("TCP".to_owned()),
            end_port: None,
        }]),
    };
    Some(NetworkPolicy {
        metadata: metadata(fleet, fleet.name.to_string()),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(pods(fleet)),
            policy_types: Some(vec!["Ingress".to_owned()]),
            ingress: Some(vec![
                rule(FLIGHT_PORT, &asked.from),
                rule(HEALTH_PORT, &asked.monitoring),
            ]),
            egress: None,
        }),
    })
}
