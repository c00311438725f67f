//! Bad input: one sentence that names what is wrong, exit 1, nothing started.

use std::path::Path;

use rstest::rstest;

use crate::run::{Manifest, fake_server, output, program};

async fn refused(text: &str, server: &Path) -> String {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("fleet.yaml");
    std::fs::write(&file, text).unwrap();
    let mut command = program();
    command.arg("-f").arg(&file).arg("--server").arg(server);
    let (code, text) = output(command).await;
    assert_eq!(code, Some(1), "{text}");
    assert_eq!(text.trim_end().lines().count(), 1, "{text}");
    text
}

#[rstest]
#[case::unknown_field("replicas: 1", "replicaz: 1", "spec.replicaz")]
#[case::negative("replicas: 1", "replicas: -1", "spec.replicas")]
#[case::text("replicas: 1", "replicas: many", "spec.replicas")]
#[case::name("metadata: {name: sales}", "metadata: {name: Sales}", "metadata.name")]
#[case::two_exposures(
    "replicas: 1",
    "replicas: 1\n  exposure: {via: {clusterIP: {}, loadBalancer: {hostTemplate: 'a-{replica}.example.com'}}}",
    "exposure.via"
)]
#[case::operator_key(
    "replicas: 1",
    "replicas: 1\n  settings: {server: {listen_port: 1}}",
    "spec.settings.server.listen_port"
)]
#[case::secret("name: gooddata, key", "name: other, key", "spec.dataSources[0]")]
#[case::too_many("replicas: 1", "replicas: 12", "spec.replicas")]
#[case::other_kind("kind: FlexConnectServer", "kind: Deployment", "document 1")]
#[case::field_reference(
    "{image: not-used}",
    "{image: not-used, env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]}",
    "spec.server.env[0].valueFrom"
)]
#[case::no_yaml("spec:", "spec: {", "document 1")]
#[tokio::test]
async fn the_field_is_named(#[case] from: &str, #[case] to: &str, #[case] field: &str) {
    let manifest = Manifest {
        endpoint: Some("http://127.0.0.1:1".to_owned()),
        ..Manifest::unregistered(1)
    }
    .text();
    assert!(manifest.contains(from));
    let text = refused(&manifest.replacen(from, to, 1), &fake_server()).await;
    assert!(text.contains(field), "{text}");
}

#[tokio::test]
async fn a_missing_server_says_what_to_do() {
    let text = refused(&Manifest::unregistered(1).text(), Path::new("/nowhere/server")).await;
    assert!(text.contains("/nowhere/server") && text.contains("--server"), "{text}");
}

#[tokio::test]
async fn a_missing_file_is_named() {
    let mut command = program();
    command.args(["-f", "/nowhere/fleet.yaml"]);
    let (code, text) = output(command).await;
    assert_eq!(code, Some(1));
    assert!(text.contains("/nowhere/fleet.yaml"), "{text}");
}

#[tokio::test]
async fn a_port_base_of_zero_is_refused() {
    let mut command = program();
    command.args(["-f", "fleet.yaml", "--port-base", "0"]);
    let (code, text) = output(command).await;
    assert_eq!(code, Some(2));
    assert!(text.contains("--port-base"), "{text}");
}
