//! The strategic merge of Kubernetes, for what `spec.podTemplate` says about pods. Pure.
//!
//! Objects are merged field by field and lists of the kinds below item by item; any other list is replaced. `null` takes
//! a field away, `$patch: delete` an item of a list, and `$patch: replace` keeps nothing of what was there.

use serde_json::{Map, Value};

/// What tells the items of a list from each other, by the name of the list.
const KEYS: [(&str, &str); 12] = [
    ("containers", "name"),
    ("initContainers", "name"),
    ("env", "name"),
    ("volumes", "name"),
    ("volumeMounts", "mountPath"),
    ("volumeDevices", "devicePath"),
    ("ports", "containerPort"),
    ("imagePullSecrets", "name"),
    ("hostAliases", "ip"),
    ("topologySpreadConstraints", "topologyKey"),
    ("resourceClaims", "name"),
    ("schedulingGates", "name"),
];

/// Says what shall become of a part, instead of being merged.
pub(crate) const DIRECTIVE: &str = "$patch";

/// The key by which a list is merged; None: it is replaced.
pub(crate) fn key_of(list: &str) -> Option<&'static str> {
    KEYS.iter().find(|(name, _)| *name == list).map(|(_, key)| *key)
}

/// Merges a patch over an object.
pub(super) fn merge(target: &mut Map<String, Value>, patch: &Map<String, Value>) {
    if patch.get(DIRECTIVE).is_some_and(|directive| directive == "replace") {
        target.clear();
    }
    for (name, patch) in patch.iter().filter(|(name, _)| *name != DIRECTIVE) {
        match (target.get_mut(name), patch) {
            (_, Value::Null) => {
                target.remove(name);
            }
            (Some(Value::Object(target)), Value::Object(patch)) => merge(target, patch),
            (Some(Value::Array(target)), Value::Array(patch)) => match key_of(name) {
                Some(key) => merge_list(target, patch, key, name == "volumes"),
                None => target.clone_from(patch),
            },
            (None, patch) => {
                target.insert(name.clone(), plain(patch));
            }
            (Some(target), patch) => *target = plain(patch),
        }
    }
}

/// A volume has one source: another one takes its place.
fn merge_list(target: &mut Vec<Value>, patch: &[Value], key: &str, is_replaced: bool) {
    for item in patch {
        let same = |other: &Value| other.get(key).is_some() && other.get(key) == item.get(key);
        let place = target.iter().position(same);
        let directive = item.get(DIRECTIVE).and_then(Value::as_str);
        match (place, directive) {
            (Some(place), Some("delete")) => {
                target.remove(place);
            }
            (None, Some("delete")) => {}
            (Some(place), _) => match (target.get_mut(place), item) {
                (Some(Value::Object(target)), Value::Object(item)) if !is_replaced => merge(target, item),
                (Some(target), item) => *target = plain(item),
                (None, _) => {}
            },
            (None, _) => target.push(plain(item)),
        }
    }
}

/// What is new, without directives and empty fields.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .filter(|(name, value)| *name != DIRECTIVE && !value.is_null());
            Value::Object(fields.map(|(name, value)| (name.clone(), plain(value))).collect())
        }
        Value::Array(items) => items.iter().map(plain).collect(),
        value => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::fields(json!({"a": {"b": 1, "c": 2}}), json!({"a": {"b": 3, "d": 4}}), json!({"a": {"b": 3, "c": 2, "d": 4}}))]
    #[case::taken_away(json!({"a": 1, "b": 2}), json!({"a": null}), json!({"b": 2}))]
    #[case::by_name(
        json!({"containers": [{"name": "a", "image": "x"}, {"name": "b"}]}),
        json!({"containers": [{"name": "c"}, {"name": "a", "tty": true}]}),
        json!({"containers": [{"name": "a", "image": "x", "tty": true}, {"name": "b"}, {"name": "c"}]}))]
    #[case::by_path(
        json!({"volumeMounts": [{"mountPath": "/tmp", "name": "tmp"}]}),
        json!({"volumeMounts": [{"mountPath": "/tmp", "name": "big"}]}),
        json!({"volumeMounts": [{"mountPath": "/tmp", "name": "big"}]}))]
    #[case::deleted(
        json!({"env": [{"name": "A"}, {"name": "B"}]}), json!({"env": [{"name": "A", "$patch": "delete"}]}),
        json!({"env": [{"name": "B"}]}))]
    #[case::replaced(json!({"a": {"b": 1}}), json!({"a": {"$patch": "replace", "c": 2}}), json!({"a": {"c": 2}}))]
    #[case::tolerations_are_one(
        json!({"tolerations": [{"key": "a"}]}), json!({"tolerations": [{"key": "b"}]}), json!({"tolerations": [{"key": "b"}]}))]
    #[case::a_volume_has_one_source(
        json!({"volumes": [{"name": "tmp", "emptyDir": {}}]}), json!({"volumes": [{"name": "tmp", "ephemeral": {"x": 1}}]}),
        json!({"volumes": [{"name": "tmp", "ephemeral": {"x": 1}}]}))]
    #[case::ports(
        json!({"ports": [{"containerPort": 1, "name": "a"}]}), json!({"ports": [{"containerPort": 2}]}),
        json!({"ports": [{"containerPort": 1, "name": "a"}, {"containerPort": 2}]}))]
    #[case::nothing(json!({"a": 1}), json!({}), json!({"a": 1}))]
    fn a_patch_is_merged_as_kubernetes_does(#[case] target: Value, #[case] patch: Value, #[case] expected: Value) {
        let (Value::Object(mut target), Value::Object(patch)) = (target, patch) else {
            unreachable!("both are objects");
        };
        merge(&mut target, &patch);
        assert_eq!(Value::Object(target.clone()), expected);
        merge(&mut target, &patch);
        assert_eq!(Value::Object(target), expected, "a second time changes nothing");
    }
}
