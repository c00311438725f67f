//! CPU and memory of the container: amounts that are amounts, and requests within their limits.

use k8s_openapi::api::core::v1::ResourceRequirements;

use super::Errors;
use crate::quantity::billionths;

pub(super) fn validate(container: &str, resources: Option<&ResourceRequirements>, errors: &mut Errors) {
    let Some(resources) = resources else { return };
    for (kind, amounts) in [("limits", &resources.limits), ("requests", &resources.requests)] {
        for (resource, amount) in amounts.iter().flatten() {
            let field = format!("{container}.resources.{kind}.{resource}");
            match billionths(&amount.0) {
                None => errors.field(field, format!("{:?} is not an amount: write 500m, 2 or 1Gi", amount.0)),
                Some(value) if value < 0 => errors.field(field, format!("{} is negative", amount.0)),
                Some(value) => {
                    let limit = resources.limits.as_ref().and_then(|limits| limits.get(resource));
                    if let Some(limit) = limit.filter(|limit| billionths(&limit.0).is_some_and(|limit| value > limit)) {
                        errors.field(field, format!("{} is more than its limit of {}", amount.0, limit.0));
                    }
                }
            }
        }
    }
}
