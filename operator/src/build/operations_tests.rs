//! What guards and scales a fleet, and what the user says about its pods.

use flexconnect_crds::Manifest;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::dereference::References;
use crate::validate::validate;

fn objects(extra: &str) -> Objects<Prepared> {
    let text = format!(
        "
apiVersion: flexconnect.dev/v1alpha1
kind: FlexConnectServer
metadata: {{name: sales, namespace: ns, uid: u1}}
spec:
  server: {{image: 'sales:1', resources: {{requests: {{cpu: 500m}}}}}}
  {extra}
"
    );
    let server = Manifest::read(&text).unwrap().server;
    let fleet = validate(&server, &References::default()).unwrap();
    build(&fleet, &Secrets::default(), 0, "2026-11-21T12:00:00Z".parse().unwrap()).unwrap()
}

fn template(objects: &Objects<Prepared>) -> Value {
    serde_json::to_value(&objects.stateful_set).unwrap()["spec"]["template"].clone()
}

#[rstest]
#[case("", json!({"maxUnavailable": 1}))]
#[case("disruptionBudget: {maxUnavailable: 25%}", json!({"maxUnavailable": "25%"}))]
#[case("disruptionBudget: {minAvailable: 2}", json!({"minAvailable": 2}))]
fn a_node_can_be_emptied_replica_by_replica(#[case] extra: &str, #[case] expected: Value) {
    let mut spec = serde_json::to_value(objects(extra).policies.budget).unwrap()["spec"].clone();
    assert_eq!(spec["unhealthyPodEvictionPolicy"], "AlwaysAllow");
    assert_eq!(spec["selector"]["matchLabels"][INSTANCE_LABEL], "sales");
    spec.as_object_mut()
        .unwrap()
        .retain(|name, _| name.ends_with("vailable"));
    assert_eq!(spec, expected);
}

#[rstest]
#[case("{maxReplicas: 5}", json!([{"cpu": 70}]))]
#[case("{maxReplicas: 5, queueLength: 3}", json!([{"queue": "3"}]))]
#[case("{maxReplicas: 5, cpuUtilization: 50, queueLength: 3}", json!([{"cpu": 50}, {"queue": "3"}]))]
fn the_autoscaler_scales_the_object_itself(#[case] autoscaling: &str, #[case] expected: Value) {
    let objects = objects(&format!("autoscaling: {autoscaling}"));
    let spec = serde_json::to_value(objects.policies.autoscaler).unwrap()["spec"].clone();
    assert_eq!(
        spec["scaleTargetRef"],
        json!({"apiVersion": "flexconnect.dev/v1alpha1", "kind": "FlexConnectServer", "name": "sales"})
    );
    assert_eq!((&spec["minReplicas"], &spec["maxReplicas"]), (&json!(2), &json!(5)));
    let metric = |metric: &Value| match metric["type"].as_str() {
        Some("Resource") => json!({"cpu": metric["resource"]["target"]["averageUtilization"]}),
        _ => json!({"queue": metric["pods"]["target"]["averageValue"]}),
    };
    let metrics = spec["metrics"]
        .as_array()
        .unwrap()
        .iter()
        .map(metric)
        .collect::<Value>();
    assert_eq!(metrics, expected);
}

#[rstest]
#[case("replicas: 1", 2)]
#[case("replicas: 4", 4)]
#[case("replicas: 0", 0)]
fn there_are_never_fewer_replicas_than_the_autoscaler_wants(#[case] replicas: &str, #[case] expected: i32) {
    let objects = objects(&format!("{replicas}\n  autoscaling: {{maxReplicas: 5}}"));
    assert_eq!(objects.stateful_set.spec.unwrap().replicas, Some(expected));
}

#[test]
fn only_the_named_and_the_operator_reach_the_replicas() {
    let peer = "{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: gooddata}}}";
    let objects = objects(&format!("networkPolicy: {{from: [{peer}]}}"));
    let spec = serde_json::to_value(objects.policies.network).unwrap()["spec"].clone();
    let [flight, health] = spec["ingress"].as_array().unwrap().as_slice() else {
        unreachable!("two rules");
    };
    assert_eq!(
        (&flight["ports"][0]["port"], &health["ports"][0]["port"]),
        (&json!(17001), &json!(8877))
    );
    assert_eq!(
        (
            flight["from"].as_array().unwrap().len(),
            health["from"].as_array().unwrap().len()
        ),
        (2, 1)
    );
    assert_eq!(spec["policyTypes"], json!(["Ingress"]));
}

#[test]
fn nothing_is_made_that_nobody_asked_for() {
    let Policies {
        budget,
        autoscaler,
        network,
    } = objects("").policies;
    assert!(budget.is_some() && autoscaler.is_none() && network.is_none());
}

#[test]
fn the_last_word_about_pods_is_the_users() {
    let objects = objects(
        "podTemplate: {metadata: {labels: {team: sales}}, spec: {priorityClassName: high, tolerations: [], \
         containers: [{name: server, env: [{name: A, value: b}]}, {name: proxy, image: 'proxy:1'}], \
         volumes: [{name: tmp, emptyDir: {sizeLimit: 10Gi}}], securityContext: {runAsUser: 7}}}",
    );
    let template = template(&objects);
    assert_eq!(template["metadata"]["labels"]["team"], "sales");
    assert_eq!(template["metadata"]["labels"][INSTANCE_LABEL], "sales");
    let pod = &template["spec"];
    assert_eq!(
        (&pod["priorityClassName"], &pod["tolerations"]),
        (&json!("high"), &json!([]))
    );
    assert_eq!(pod["containers"][0]["image"], "sales:1");
    let env = pod["containers"][0]["env"].as_array().unwrap();
    assert_eq!(
        (env[0]["name"].as_str(), env.last().unwrap()),
        (Some("POD_NAME"), &json!({"name": "A", "value": "b"}))
    );
    assert_eq!(pod["containers"][1]["name"], "proxy");
    assert_eq!(
        (
            &pod["securityContext"]["runAsUser"],
            &pod["securityContext"]["runAsNonRoot"]
        ),
        (&json!(7), &json!(true))
    );
    let volumes = pod["volumes"].as_array().unwrap();
    let tmp = volumes
        .iter()
        .filter(|volume| volume["name"] == "tmp")
        .collect::<Vec<_>>();
    assert_eq!(tmp, [&json!({"name": "tmp", "emptyDir": {"sizeLimit": "10Gi"}})]);
}
