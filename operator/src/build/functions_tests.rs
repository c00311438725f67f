//! What a fleet with functions in Python consists of.

use flexconnect_crds::Manifest;
use serde_json::{Value, json};

use super::*;
use crate::dereference::References;
use crate::validate::validate;

fn objects(functions: &str) -> Objects<Prepared> {
    let text = format!(
        "
apiVersion: flexconnect.dev/v1alpha1
kind: FlexConnectServer
metadata: {{name: sales, namespace: ns, uid: u1}}
spec:
  functions: {functions}
  server: {{resources: {{limits: {{memory: 256Mi}}}}}}
  settings: {{Python: {{tracebacks: true}}}}
  settingsFrom: [{{secret: {{name: hidden}}}}]
---
apiVersion: v1
kind: Secret
metadata: {{name: hidden}}
stringData: {{a.toml: \"sales.password = 'hunter2'\"}}
"
    );
    let manifest = Manifest::read(&text).unwrap();
    let fleet = validate(&manifest.server, &manifest.secrets.into_iter().collect::<References>()).unwrap();
    build(&fleet, &Secrets::default(), 0, "2026-11-21T12:00:00Z".parse().unwrap()).unwrap()
}

fn pod(objects: &Objects<Prepared>) -> Value {
    serde_json::to_value(&objects.stateful_set).unwrap()["spec"]["template"]["spec"].clone()
}

fn mounts(container: &Value) -> Vec<(&str, bool)> {
    let mounts = container["volumeMounts"].as_array().unwrap();
    let mounts = mounts.iter();
    mounts
        .map(|mount| (mount["name"].as_str().unwrap(), mount["readOnly"] == true))
        .collect()
}

#[test]
fn functions_are_a_sidecar_that_outlives_the_server() {
    let pod = pod(&objects(
        "{image: 'mine:1', code: {configMap: {name: sources}}, env: [{name: A, value: b}]}",
    ));
    let [host, functions] = pod["initContainers"].as_array().unwrap().as_slice() else {
        unreachable!("two init containers");
    };
    assert_eq!(host["image"], crate::dereference::SERVER_IMAGE);
    assert_eq!(host["args"], json!(["python-host", "--into", "/flexconnect/host"]));
    assert_eq!(
        host["resources"], pod["containers"][0]["resources"],
        "no more than the server asks for"
    );
    assert_eq!(
        (&functions["name"], &functions["image"]),
        (&json!("functions"), &json!("mine:1"))
    );
    assert_eq!(functions["restartPolicy"], "Always");
    assert_eq!(
        functions["command"],
        json!([
            "python3",
            "-I",
            "/flexconnect/host/flexconnect_worker",
            "host",
            "--socket",
            "/run/flexconnect/python.sock",
            "--path",
            "/flexconnect/code"
        ])
    );
    assert_eq!(functions["livenessProbe"]["exec"]["command"][3], "live");
    assert_eq!(functions["securityContext"]["runAsUser"], 1000);
    assert_eq!(functions["env"], json!([{"name": "A", "value": "b"}]));
}

#[test]
fn no_key_lies_beside_the_functions() {
    let pod = pod(&objects(
        "{image: 'mine:1', code: {persistentVolumeClaim: {claimName: share}}}",
    ));
    let functions = &pod["initContainers"][1];
    assert_eq!(
        mounts(functions),
        [
            ("host", true),
            ("socket", true),
            ("functions-tmp", false),
            ("code", true)
        ]
    );
    assert!(mounts(&pod["containers"][0]).contains(&("socket", false)));
    let code = pod["volumes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|volume| volume["name"] == "code");
    assert_eq!(
        code.unwrap()["persistentVolumeClaim"],
        json!({"claimName": "share", "readOnly": true})
    );
}

#[test]
fn the_server_is_told_where_the_functions_are() {
    let objects = objects(
        "{image: 'mine:1', modules: [sales.report], workers: 2, config: [/config/a.toml], \
         resources: {limits: {memory: 1Gi}}}",
    );
    let config: toml::Table = objects.config.data.as_ref().unwrap()[CONFIG_KEY].parse().unwrap();
    let expected: toml::Table = "
        socket = '/run/flexconnect/python.sock'
        workers = 2
        config_files = ['/config/a.toml']
        tracebacks = true
    "
    .parse()
    .unwrap();
    assert_eq!(config["python"].as_table(), Some(&expected));
    assert_eq!(config["flexconnect"]["functions"][0].as_str(), Some("sales.report"));
    assert_eq!(config["server"]["task_result_bytes"].as_integer(), Some(128 << 20));
}

#[test]
fn settings_from_secrets_are_in_a_secret_of_the_fleet() {
    let objects = objects("{image: 'mine:1'}");
    let secret = objects.secrets.settings.as_ref().unwrap();
    assert_eq!(text_of(secret, SETTINGS_KEY), Some("[sales]\npassword = \"hunter2\"\n"));
    let pod = pod(&objects);
    assert_eq!(
        pod["containers"][0]["args"][3],
        "/etc/flexconnect/settings/settings.toml"
    );
    assert!(
        !pod.to_string().contains("\"hidden\""),
        "the user's Secret is not mounted"
    );
    assert!(!format!("{objects:?}").contains("hunter2"));
    let digest = &objects
        .stateful_set
        .spec
        .as_ref()
        .unwrap()
        .template
        .metadata
        .as_ref()
        .unwrap()
        .annotations;
    assert!(
        digest.as_ref().unwrap().contains_key("flexconnect.dev/settings"),
        "their change restarts the pods"
    );
}
