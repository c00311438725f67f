//! Manifests are read strictly, and refusals name the field.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use flexconnect_crds::{LoadBalancing, Manifest, ManifestError};

const SERVER: &str = "
apiVersion: flexconnect.dev/v1alpha1
kind: FlexConnectServer
metadata: {name: sales}
spec:
  server: {image: sales:1}
  dataSources:
    - {id: sales, endpoint: https://acme.example.com, tokenSecret: {name: gooddata, key: token}}
";

fn refusal(text: &str) -> String {
    Manifest::read(text).unwrap_err().to_string()
}

#[test]
fn defaults_are_those_of_the_api() {
    let server = Manifest::read(SERVER).unwrap().server;
    assert_eq!(server.spec.replicas, 1);
    assert_eq!(server.spec.data_sources[0].load_balancing, LoadBalancing::RoundRobin);
    assert_eq!(server.spec.tls, None);
}

#[test]
fn a_secret_beside_the_object_is_read_as_the_api_server_would() {
    let text = format!(
        "{SERVER}---\napiVersion: v1\nkind: Secret\nmetadata: {{name: gooddata}}\n\
         data: {{other: b25l}}\nstringData: {{token: t1}}\n"
    );
    let secrets = Manifest::read(&text).unwrap().secrets;
    let data = secrets[0].data.as_ref().unwrap();
    assert_eq!(
        (data["token"].0.as_slice(), data["other"].0.as_slice()),
        (&b"t1"[..], &b"one"[..])
    );
}

#[test]
fn unknown_fields_are_refused_with_their_paths() {
    let text = SERVER
        .replace("{image: sales:1}", "{image: sales:1, imgae: x}")
        .replace("{id: sales,", "{id: sales, url: y,");
    let refusal = refusal(&text);
    assert!(refusal.contains("spec.server.imgae"), "{refusal}");
    assert!(refusal.contains("spec.dataSources[0].url"), "{refusal}");
}

#[test]
fn wrong_types_are_refused_with_their_path() {
    let refusal = refusal(&SERVER.replace("  server:", "  replicas: three\n  server:"));
    assert!(refusal.contains("spec.replicas"), "{refusal}");
    assert!(refusal.contains("\"sales\""), "{refusal}");
}

#[test]
fn a_missing_field_is_named() {
    let refusal = refusal(&SERVER.replace("tokenSecret: {name: gooddata, key: token}", "name: x"));
    assert!(
        refusal.contains("spec.dataSources[0]") && refusal.contains("tokenSecret"),
        "{refusal}"
    );
}

#[test]
fn other_kinds_and_other_counts_are_refused() {
    assert!(refusal("apiVersion: v1\nkind: Service\n").contains("Service"));
    assert!(matches!(
        Manifest::read("").unwrap_err(),
        ManifestError::Count { found: 0 }
    ));
    assert!(matches!(
        Manifest::read(&format!("{SERVER}---{SERVER}")).unwrap_err(),
        ManifestError::Count { found: 2 }
    ));
    assert!(matches!(
        Manifest::read("a: [").unwrap_err(),
        ManifestError::Syntax { document: 1, .. }
    ));
}
