//! The generated CRD: committed, fresh, small, and described for its users.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;

use serde_json::Value;

/// Above this size client-side `kubectl apply` fails: the whole object has to fit into an annotation.
const CLIENT_SIDE_APPLY_LIMIT: usize = 256 * 1024;

fn committed() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("flexconnectserver.yaml");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

#[test]
fn the_committed_definition_is_fresh() {
    assert!(
        committed() == flexconnect_crds::crd_yaml().unwrap(),
        "crds/flexconnectserver.yaml is stale; refresh it with:\n\n    \
         cargo run -p flexconnect-operator -- crd > crds/flexconnectserver.yaml\n"
    );
}

#[test]
fn the_definition_fits_into_an_annotation() {
    let size = serde_json::to_vec(&flexconnect_crds::crd()).unwrap().len();
    assert!(size < CLIENT_SIDE_APPLY_LIMIT / 2, "{size} bytes");
}

#[test]
fn every_field_is_described_in_a_sentence() {
    let definition = serde_json::to_value(flexconnect_crds::crd()).unwrap();
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let mut mute = Vec::new();
    for part in ["spec", "status"] {
        collect_mute(&schema["properties"][part], part, &mut mute);
    }
    assert!(mute.is_empty(), "fields without a sentence: {mute:#?}");
}

fn collect_mute(schema: &Value, path: &str, mute: &mut Vec<String>) {
    let description = schema["description"].as_str().unwrap_or_default();
    if !description.trim_end().ends_with(['.', ':']) && !description.contains(". ") {
        mute.push(format!("{path}: {description:?}"));
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        // Types of Kubernetes itself are described by Kubernetes.
        if !["resources", "env", "envFrom", "conditions", "from", "monitoring"].contains(&name.as_str()) {
            collect_mute(property, &path, mute);
        }
    }
    if let Some(items) = schema.get("items") {
        for (name, property) in items["properties"].as_object().into_iter().flatten() {
            collect_mute(property, &format!("{path}[].{name}"), mute);
        }
    }
}

#[test]
fn rules_are_sentences_too() {
    fn visit(value: &Value, found: &mut usize) {
        match value {
            Value::Object(map) => {
                for rule in map
                    .get("x-kubernetes-validations")
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten()
                {
                    let message = rule["message"].as_str().unwrap_or_default();
                    assert!(message.contains(' '), "{rule} has no sentence");
                    *found += 1;
                }
                map.values().for_each(|value| visit(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| visit(value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut found = 0;
    visit(&serde_json::to_value(flexconnect_crds::crd()).unwrap(), &mut found);
    assert!(found >= 10, "only {found} rules");
}

#[test]
fn names_are_as_promised() {
    let names = flexconnect_crds::crd().spec.names;
    assert_eq!(names.kind, "FlexConnectServer");
    assert_eq!(names.short_names.unwrap(), ["fcs"]);
    assert!(names.categories.unwrap().contains(&"flexconnect".to_owned()));
}
