//! Whether a live object has all that a desired one says. Pure.
//!
//! The API server adds defaults, leaves out what is empty, and writes quantities in its own way: none of that differs.

use serde_json::Value;

use crate::quantity::billionths;

/// Whether every field of `desired` is in `live`, with an equal value. Lists are compared item by item.
pub(super) fn is_satisfied(desired: &Value, live: &Value) -> bool {
    match (desired, live) {
        (Value::Object(desired), Value::Object(live)) => desired.iter().all(|(key, desired)| match live.get(key) {
            Some(live) => is_satisfied(desired, live) || (is_amounts(key) && are_equal_amounts(desired, live)),
            None => is_empty(desired),
        }),
        (Value::Array(desired), Value::Array(live)) => {
            desired.len() == live.len()
                && desired
                    .iter()
                    .zip(live)
                    .all(|(desired, live)| is_satisfied(desired, live))
        }
        (Value::Number(desired), Value::Number(live)) => desired == live || desired.as_f64() == live.as_f64(),
        (desired, live) => desired == live,
    }
}

/// What the API server leaves out when it writes an object.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_empty),
    }
}

/// Fields that hold amounts by resource.
fn is_amounts(key: &str) -> bool {
    ["limits", "requests", "sizeLimit"].contains(&key)
}

fn are_equal_amounts(desired: &Value, live: &Value) -> bool {
    match (desired, live) {
        (Value::Object(desired), Value::Object(live)) => {
            desired.len() == live.len()
                && desired
                    .iter()
                    .all(|(key, desired)| live.get(key).is_some_and(|live| are_equal_amounts(desired, live)))
        }
        (Value::String(desired), Value::String(live)) => {
            desired == live || billionths(desired).is_some_and(|desired| billionths(live) == Some(desired))
        }
        (desired, live) => desired == live,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(json!({"a": 1}), json!({"a": 1, "defaulted": 2}), true)]
    #[case(json!({"a": 1}), json!({"a": 2}), false)]
    #[case(json!({"a": 1}), json!({}), false)]
    #[case(json!({"a": ""}), json!({}), true)]
    #[case(json!({"a": {"b": []}}), json!({}), true)]
    #[case(json!({"a": false}), json!({"a": true}), false)]
    #[case(json!([{"a": 1}]), json!([{"a": 1, "b": 2}]), true)]
    #[case(json!([1]), json!([1, 2]), false)]
    #[case(json!([1, 2]), json!([2, 1]), false)]
    #[case(json!({"limits": {"cpu": "1000m"}}), json!({"limits": {"cpu": "1"}}), true)]
    #[case(json!({"limits": {"memory": "1024Mi"}}), json!({"limits": {"memory": "1Gi"}}), true)]
    #[case(json!({"requests": {"cpu": "0.5"}}), json!({"requests": {"cpu": "500m"}}), true)]
    #[case(json!({"limits": {"cpu": "1001m"}}), json!({"limits": {"cpu": "1"}}), false)]
    #[case(json!({"limits": {"cpu": "1"}}), json!({"limits": {"cpu": "1", "memory": "1"}}), true)]
    #[case(json!({"other": "1000m"}), json!({"other": "1"}), false)]
    fn only_what_is_said_counts(#[case] desired: Value, #[case] live: Value, #[case] satisfied: bool) {
        assert_eq!(is_satisfied(&desired, &live), satisfied);
    }
}
