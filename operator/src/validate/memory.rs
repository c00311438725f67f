//! Whether the limits of the containers add up, and what of them is for results. Pure.
//!
//! What a worker returns lies in memory that is counted to its container until nobody can ask for it any more.

use flexconnect_crds::FlexConnectServerSpec;
use k8s_openapi::api::core::v1::ResourceRequirements;
use toml::Table;

use super::Errors;
use super::settings::of_section;
use crate::quantity::billionths;

const MIB: u64 = 1 << 20;
/// Results get this part of the memory of the container that they are counted to.
const RESULTS_SHARE: u64 = 4;
/// Commands and streams on their way are counted as results are, and lie in the server: it needs as much again.
const SERVER_SHARE: u64 = 2;
/// What the server takes besides.
const SERVER: u64 = 32 * MIB;
/// What the worker host takes.
const HOST: u64 = 32 * MIB;
/// What a worker takes once it has loaded pyarrow, and no function yet.
const WORKER: u64 = 96 * MIB;

/// The budget for results, where the server cannot find it by itself.
pub(super) fn validate(spec: &FlexConnectServerSpec, settings: &Table, errors: &mut Errors) -> Option<u64> {
    let server = memory_limit(spec.server.resources.as_ref());
    let given = bytes(settings, "server", "task_result_bytes");
    let Some(functions) = &spec.functions else {
        let (limit, results) = (server?, given?);
        refuse_sum(
            "spec.server",
            limit,
            &[(results, "for results"), (SERVER, "for the server")],
            errors,
        );
        return None;
    };
    let limit = memory_limit(functions.resources.as_ref());
    let computed = limit.map(|limit| {
        let share = limit / RESULTS_SHARE;
        server.map_or(share, |server| share.min(server / SERVER_SHARE))
    });
    let results = given.or(computed)?;
    let worker = bytes(settings, "python", "worker_memory_bytes").unwrap_or(WORKER);
    // One worker more while one is replaced.
    let workers = u64::from(functions.workers.unwrap_or(1)) + 1;
    if let Some(limit) = limit {
        let parts = [
            (results, "for results"),
            (HOST, "for the worker host"),
            (
                worker.saturating_mul(workers),
                &format!("for {workers} workers, one of them while another is replaced"),
            ),
        ];
        refuse_sum("spec.functions", limit, &parts, errors);
    }
    given.is_none().then_some(results)
}

fn refuse_sum(container: &str, limit: u64, parts: &[(u64, &str)], errors: &mut Errors) {
    let sum = parts.iter().fold(0_u64, |sum, (bytes, _)| sum.saturating_add(*bytes));
    if sum <= limit {
        return;
    }
    let parts = parts
        .iter()
        .map(|(bytes, what)| format!("{} {what}", in_mebibytes(*bytes)));
    errors.field(
        format!("{container}.resources.limits.memory"),
        format!(
            "{} is too little for what adds up to {}: {}",
            in_mebibytes(limit),
            in_mebibytes(sum),
            parts.collect::<Vec<_>>().join(", "),
        ),
    );
}

fn in_mebibytes(bytes: u64) -> String {
    format!("{}Mi", bytes.div_ceil(MIB))
}

fn memory_limit(resources: Option<&ResourceRequirements>) -> Option<u64> {
    let limit = resources?.limits.as_ref()?.get("memory")?;
    u64::try_from(billionths(&limit.0)? / 1_000_000_000).ok()
}

fn bytes(settings: &Table, section: &str, key: &str) -> Option<u64> {
    let value = of_section(settings, section, key)?.as_integer()?;
    u64::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::validate::Invalid;

    fn plan(functions: &Value, server: &Value, settings: &str) -> Result<Option<u64>, Invalid> {
        let spec = json!({"server": {"resources": server}, "functions": functions});
        let mut errors = Errors::default();
        let budget = validate(
            &serde_json::from_value(spec).unwrap(),
            &settings.parse().unwrap(),
            &mut errors,
        );
        if errors.0 == Invalid::default() {
            Ok(budget)
        } else {
            Err(errors.0)
        }
    }

    fn limited(memory: &str) -> Value {
        json!({"limits": {"memory": memory}})
    }

    #[rstest]
    #[case::nothing_is_known(&json!({}), &json!({}), "", None)]
    #[case::a_quarter(&limited("1Gi"), &json!({}), "", Some(256))]
    #[case::no_more_than_the_server_can_serve(&limited("1Gi"), &limited("128Mi"), "", Some(64))]
    #[case::what_is_written_holds(&limited("1Gi"), &json!({}), "server.task_result_bytes = 1000", None)]
    fn results_get_their_part(
        #[case] functions: &Value,
        #[case] server: &Value,
        #[case] settings: &str,
        #[case] expected: Option<u64>,
    ) {
        let functions = json!({"image": "a", "resources": functions});
        assert_eq!(
            plan(&functions, server, settings),
            Ok(expected.map(|expected| expected * MIB))
        );
    }

    #[rstest]
    #[case(json!({"image": "a", "resources": limited("256Mi")}), "",
        "spec.functions.resources.limits.memory: 256Mi is too little for what adds up to 288Mi: 64Mi for results, \
         32Mi for the worker host, 192Mi for 2 workers, one of them while another is replaced")]
    #[case(json!({"image": "a", "workers": 12, "resources": limited("1Gi")}), "",
        "1024Mi is too little for what adds up to 1344Mi: 64Mi for results, 32Mi for the worker host, 1248Mi for 13 workers")]
    #[case(json!({"image": "a", "resources": limited("1Gi")}), "python.worker_memory_bytes = 536870912",
        "1024Mi for 2 workers")]
    #[case(json!({"image": "a", "resources": limited("1Gi")}), "Server.Task_Result_Bytes = 1073741824",
        "adds up to 1248Mi: 1024Mi for results")]
    #[case(
        Value::Null,
        "server.task_result_bytes = 134217728",
        "spec.server.resources.limits.memory: 128Mi is too little for what adds up to 160Mi: 128Mi for results, 32Mi for \
         the server"
    )]
    fn what_does_not_add_up_is_refused_with_the_sum(
        #[case] functions: Value,
        #[case] settings: &str,
        #[case] expected: &str,
    ) {
        let refusal = plan(&functions, &limited("128Mi"), settings).unwrap_err().to_string();
        assert!(refusal.contains(expected), "{refusal}");
    }
}
