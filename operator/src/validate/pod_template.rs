//! What the user says about pods: fields that pods have, and none that would part them from their fleet.

use flexconnect_crds::FlexConnectServerSpec;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::{Map, Value};

use super::Errors;
use crate::build::{DIRECTIVE, INSTANCE_LABEL, MANAGED_BY_LABEL, NAME_LABEL, key_of};
use crate::fleet::Drain;

const FIELD: &str = "spec.podTemplate";
/// Annotations that tell why pods were started again.
const OWN_ANNOTATIONS: &str = "flexconnect.dev/";

pub(super) fn validate(spec: &FlexConnectServerSpec, drain: Drain, errors: &mut Errors) -> Option<Map<String, Value>> {
    let Value::Object(template) = spec.pod_template.as_ref()? else {
        errors.field(FIELD, "must be an object with metadata and spec");
        return None;
    };
    validate_keys(template, FIELD, errors);
    validate_types(template, errors);
    validate_metadata(template, errors);
    validate_spec(template, drain, errors);
    Some(template.clone())
}

/// Every field is one that pods have, with a value of its type.
fn validate_types(template: &Map<String, Value>, errors: &mut Errors) {
    let value = without_directives(&Value::Object(template.clone()));
    let mut unknown = Vec::new();
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&value, &mut track);
    let read: Result<PodTemplateSpec, _> = serde_ignored::deserialize(tracked, |path| unknown.push(path.to_string()));
    if let Err(error) = read {
        errors.field(format!("{FIELD}.{}", track.path()), error.to_string());
    }
    for path in unknown {
        // Options and lists are steps of the path that nobody writes.
        let path = path.replace(".?", "");
        errors.field(
            format!("{FIELD}.{path}"),
            "is not a field of pods: correct its name or its place",
        );
    }
}

fn without_directives(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(name, _)| *name != DIRECTIVE);
            Value::Object(
                fields
                    .map(|(name, value)| (name.clone(), without_directives(value)))
                    .collect(),
            )
        }
        Value::Array(items) => items.iter().map(without_directives).collect(),
        value => value.clone(),
    }
}

/// Items of lists that are merged say which item they mean.
fn validate_keys(fields: &Map<String, Value>, place: &str, errors: &mut Errors) {
    for (name, value) in fields {
        let place = format!("{place}.{name}");
        match value {
            Value::Object(fields) => validate_keys(fields, &place, errors),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let Value::Object(fields) = item else { continue };
                    if let Some(key) = key_of(name).filter(|key| fields.get(*key).is_none_or(Value::is_null)) {
                        errors.field(
                            format!("{place}[{index}]"),
                            format!("needs {key}, which says which one is meant"),
                        );
                    }
                    validate_keys(fields, &format!("{place}[{index}]"), errors);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

fn validate_metadata(template: &Map<String, Value>, errors: &mut Errors) {
    let Some(Value::Object(metadata)) = template.get("metadata") else {
        return;
    };
    let field = format!("{FIELD}.metadata");
    for name in metadata.keys() {
        if name != "labels" && name != "annotations" {
            errors.field(
                format!("{field}.{name}"),
                "cannot be set: only labels and annotations can",
            );
        }
    }
    let keys = |part: &str| {
        let keys = metadata.get(part).and_then(Value::as_object);
        keys.into_iter().flat_map(Map::keys)
    };
    for label in keys("labels").filter(|label| [NAME_LABEL, INSTANCE_LABEL, MANAGED_BY_LABEL].contains(&label.as_str()))
    {
        errors.field(
            format!("{field}.labels"),
            format!("{label} is how the operator and the Services find the pods of this fleet: remove it"),
        );
    }
    for annotation in keys("annotations").filter(|annotation| annotation.starts_with(OWN_ANNOTATIONS)) {
        errors.field(
            format!("{field}.annotations"),
            format!("{annotation} tells why the operator replaces pods: remove it"),
        );
    }
}

fn validate_spec(template: &Map<String, Value>, drain: Drain, errors: &mut Errors) {
    let Some(Value::Object(spec)) = template.get("spec") else {
        return;
    };
    let field = format!("{FIELD}.spec");
    if let Some(seconds) = spec.get("terminationGracePeriodSeconds").and_then(Value::as_u64)
        && seconds < drain.grace_period()
    {
        errors.field(
            format!("{field}.terminationGracePeriodSeconds"),
            format!(
                "must be at least {}: a server may drain for so long, see lame_duck_sec and drain_timeout_sec of \
                 spec.settings.server",
                drain.grace_period()
            ),
        );
    }
    let own = [
        ("containers", "server", "spec.server"),
        ("initContainers", "functions", "spec.functions"),
    ];
    for (list, name, instead) in own {
        let items = spec.get(list).and_then(Value::as_array);
        for item in items.into_iter().flatten().filter(|item| item["name"] == name) {
            if !item["image"].is_null() {
                errors.field(
                    format!("{field}.{list}"),
                    format!("the image of {name} is set by {instead}.image"),
                );
            }
            if item[DIRECTIVE] == "delete" {
                errors.field(
                    format!("{field}.{list}"),
                    format!("{name} cannot be deleted: see {instead}"),
                );
            }
        }
    }
}
