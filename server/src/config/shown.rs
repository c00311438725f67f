//! Values as people may see them: secrets are hidden, long texts are cut.

use std::borrow::Cow;

use serde_json::Value as Json;

use super::tree::{Node, Value};

/// What is shown instead of a secret.
pub(super) const HIDDEN: &str = "(hidden)";

/// Texts longer than this are cut.
const MAX_SHOWN: usize = 60;

/// Whether the value under a key must not be shown.
pub(super) type Secrets = fn(&str, &Value) -> bool;

/// A value in a few words, for sentences.
pub(super) fn in_words(node: &Node, key: &str, secrets: Secrets) -> String {
    if secrets(key, &node.value) {
        return HIDDEN.to_owned();
    }
    match &node.value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::Text(text) => {
            let text = without_password(text);
            if text.chars().count() > MAX_SHOWN {
                format!("{:?}", text.chars().take(MAX_SHOWN).chain(['…']).collect::<String>())
            } else {
                format!("{text:?}")
            }
        }
        Value::List(items) => {
            let items = items.iter().map(|item| in_words(item, key, secrets));
            format!("[{}]", items.collect::<Vec<_>>().join(", "))
        }
        Value::Table(_) => "{…}".to_owned(),
    }
}

/// The whole value, secrets hidden wherever they are in it.
pub(super) fn as_json(node: &Node, key: &str, secrets: Secrets) -> Json {
    if secrets(key, &node.value) {
        return Json::from(HIDDEN);
    }
    match &node.value {
        Value::List(items) => items.iter().map(|item| as_json(item, key, secrets)).collect(),
        Value::Table(table) => table
            .iter_spelled()
            .map(|(name, spelling, node)| (spelling.to_owned(), as_json(node, &format!("{key}.{name}"), secrets)))
            .collect(),
        Value::Text(text) => Json::from(without_password(text)),
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) => node.to_json(),
    }
}

/// A text without the password of an address in it: `https://user:password@host`.
fn without_password(text: &str) -> Cow<'_, str> {
    let hidden = || {
        let (scheme, rest) = text.split_once("://")?;
        let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
        let (credentials, _) = authority.rsplit_once('@')?;
        let (user, _) = credentials.split_once(':')?;
        Some(format!("{scheme}://{user}:{HIDDEN}{}", &rest[credentials.len()..]))
    };
    hidden().map_or(Cow::Borrowed(text), Cow::Owned)
}
