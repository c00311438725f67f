//! How a fleet is guarded and scaled.

use flexconnect_crds as crd;
use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::Errors;
use crate::fleet::{Autoscaling, Budget};
use crate::names::MAX_REPLICAS;

/// What is aimed at when nothing is said, in percent.
const CPU_UTILIZATION: u16 = 70;

pub(super) fn budget(budget: Option<&crd::DisruptionBudget>, errors: &mut Errors) -> Budget {
    let field = "spec.disruptionBudget";
    let Some(crd::DisruptionBudget {
        max_unavailable,
        min_available,
    }) = budget
    else {
        return Budget::MaxUnavailable(IntOrString::Int(1));
    };
    for (name, amount) in [("maxUnavailable", max_unavailable), ("minAvailable", min_available)] {
        if amount.as_ref().is_some_and(|amount| !is_count_or_share(amount)) {
            errors.field(
                format!("{field}.{name}"),
                "must be a number from 0 on, or a share such as 25%",
            );
        }
    }
    match (max_unavailable, min_available) {
        (Some(amount), None) => Budget::MaxUnavailable(amount.clone()),
        (None, Some(amount)) => Budget::MinAvailable(amount.clone()),
        (Some(amount), Some(_)) => {
            errors.field(
                field,
                "set exactly one of disruptionBudget.maxUnavailable and disruptionBudget.minAvailable",
            );
            Budget::MaxUnavailable(amount.clone())
        }
        (None, None) => {
            errors.field(
                field,
                "set exactly one of disruptionBudget.maxUnavailable and disruptionBudget.minAvailable",
            );
            Budget::MaxUnavailable(IntOrString::Int(1))
        }
    }
}

fn is_count_or_share(amount: &IntOrString) -> bool {
    match amount {
        IntOrString::Int(count) => *count >= 0,
        IntOrString::String(text) => text
            .strip_suffix('%')
            .and_then(|share| share.parse::<u16>().ok())
            .is_some_and(|share| share <= 100),
    }
}

pub(super) fn autoscaling(spec: &crd::FlexConnectServerSpec, errors: &mut Errors) -> Option<Autoscaling> {
    let autoscaling = spec.autoscaling.as_ref()?;
    let (least, most) = (autoscaling.min_replicas, autoscaling.max_replicas);
    for (name, count) in [("minReplicas", least), ("maxReplicas", most)] {
        if !(1..=MAX_REPLICAS).contains(&count) {
            errors.field(
                format!("spec.autoscaling.{name}"),
                format!("must be between 1 and {MAX_REPLICAS}"),
            );
        }
    }
    if least > most {
        errors.field(
            "spec.autoscaling.minReplicas",
            format!("must not be more than maxReplicas, which is {most}"),
        );
    }
    let default = autoscaling.queue_length.is_none().then_some(CPU_UTILIZATION);
    let cpu_utilization = autoscaling.cpu_utilization.or(default);
    if cpu_utilization.is_some() {
        let functions = spec.functions.as_ref().map(|functions| functions.resources.as_ref());
        let containers = [
            ("spec.server", Some(spec.server.resources.as_ref())),
            ("spec.functions", functions),
        ];
        for (container, resources) in containers {
            if resources.is_some_and(|resources| !asks_for_cpu(resources)) {
                errors.field(
                    format!("{container}.resources.requests.cpu"),
                    "is needed by spec.autoscaling, which compares the CPU in use with it",
                );
            }
        }
    }
    Some(Autoscaling {
        least,
        most,
        cpu_utilization,
        queue_length: autoscaling.queue_length,
    })
}

/// A limit is a request, too.
fn asks_for_cpu(resources: Option<&ResourceRequirements>) -> bool {
    let Some(resources) = resources else { return false };
    [&resources.requests, &resources.limits]
        .into_iter()
        .flatten()
        .any(|amounts| amounts.contains_key("cpu"))
}
