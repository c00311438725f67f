//! An operator of a new version restarts nothing: the pods of an unchanged object stay as they were.

use std::path::Path;

use flexconnect_crds::Manifest;
use flexconnect_operator::build::{Secrets, build};
use flexconnect_operator::dereference::References;
use flexconnect_operator::validate::validate;
use serde_json::json;

const OBJECT: &str = "
apiVersion: flexconnect.dev/v1alpha1
kind: FlexConnectServer
metadata: {name: sales, namespace: analytics, uid: u1}
spec:
  replicas: 2
  server:
    image: sales:1
    imagePullPolicy: IfNotPresent
    resources: {limits: {memory: 1Gi}, requests: {cpu: 500m}}
    env: [{name: RUST_LOG, value: info}]
  imagePullSecrets: [{name: registry}]
  settings: {sales: {limit: 10}, server: {task_threads: 64}}
";

#[test]
fn the_pods_of_an_unchanged_object_stay_as_they_were() {
    let server = Manifest::read(OBJECT).unwrap().server;
    let fleet = validate(&server, &References::default()).unwrap();
    let objects = build(&fleet, &Secrets::default(), 0, "2026-11-21T12:00:00Z".parse().unwrap()).unwrap();
    let mut template = serde_json::to_value(objects.stateful_set.spec.unwrap().template).unwrap();
    let annotations = &mut template["metadata"]["annotations"];
    // Made of random bits, once.
    annotations["flexconnect.dev/certificate"] = json!("random");

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pure/pod_template.yaml");
    let golden: serde_json::Value = serde_yaml::from_str(&std::fs::read_to_string(&path).unwrap_or_default()).unwrap();
    assert!(
        template == golden,
        "the pods are no longer those of {}: every fleet would restart when its operator is upgraded. When that is meant, \
         say so in the release notes, and make it:\n\n{}",
        path.display(),
        serde_yaml::to_string(&template).unwrap()
    );
}

#[test]
fn a_new_image_of_the_operator_changes_no_fleet_that_did_not_ask_for_it() {
    let object = "
apiVersion: flexconnect.dev/v1alpha1
kind: FlexConnectServer
metadata: {name: sales, namespace: analytics, uid: u1}
spec: {functions: {image: 'mine:1'}}
status: {serverImage: 'server:1'}
";
    let image = |text: &str| {
        let server = Manifest::read(text).unwrap().server;
        let references = References::default().with_server_image("server:2");
        validate(&server, &references).unwrap().container.image
    };
    assert_eq!(image(object), "server:1");
    assert_eq!(
        image(&object.replace("{functions", "{server: {upgrade: WithOperator}, functions")),
        "server:2"
    );
}
