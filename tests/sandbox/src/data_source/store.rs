//! All data sources of the organization, and the rules of creating, replacing, patching and deleting one.

use std::collections::BTreeMap;

use super::attributes::check_whole;
use super::{Changes, DataSource, Invalid};

/// Behaviour that no document settles.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) put_keeps_secrets: bool,
    pub(crate) type_without_url: bool,
}

/// Why a write is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Invalid(Invalid),
    Missing,
    Duplicate,
}

impl From<Invalid> for Refusal {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

/// Data sources by id. There is no version and no lock between clients: the last write wins.
#[derive(Debug, Default)]
pub(crate) struct Store(BTreeMap<String, DataSource>);

impl Store {
    pub(crate) fn get(&self, id: &str) -> Option<&DataSource> {
        self.0.get(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &DataSource> {
        self.0.values()
    }

    pub(crate) fn create(&mut self, id: &str, changes: Changes) -> Result<&mut DataSource, Refusal> {
        if self.0.contains_key(id) {
            return Err(Refusal::Duplicate);
        }
        self.put(DataSource::new(id), changes)
    }

    /// Replaces everything, so that an attribute that is not sent is unset.
    pub(crate) fn replace(&mut self, id: &str, changes: Changes, rules: Rules) -> Result<&mut DataSource, Refusal> {
        let stored = self.0.get(id).ok_or(Refusal::Missing)?;
        let mut source = DataSource::new(id);
        if rules.put_keeps_secrets {
            source.secrets.clone_from(&stored.secrets);
        }
        self.put(source, changes)
    }

    /// Changes only what is named. `type` and `url` come together or not at all.
    pub(crate) fn patch(&mut self, id: &str, changes: Changes, rules: Rules) -> Result<&mut DataSource, Refusal> {
        let stored = self.0.get(id).ok_or(Refusal::Missing)?.clone();
        if changes.contains("type") != changes.contains("url") && !rules.type_without_url {
            let text = "Both 'type' and 'url' or neither of them have to be defined in one patch.";
            return Err(Refusal::Invalid(Invalid(text.to_owned())));
        }
        self.put(stored, changes)
    }

    pub(crate) fn delete(&mut self, id: &str) -> Result<(), Refusal> {
        self.0.remove(id).map(drop).ok_or(Refusal::Missing)
    }

    fn put(&mut self, mut source: DataSource, changes: Changes) -> Result<&mut DataSource, Refusal> {
        changes.apply_to(&mut source);
        check_whole(&source)?;
        let stored = self.0.entry(source.id.clone()).insert_entry(source);
        Ok(stored.into_mut())
    }
}

impl DataSource {
    /// Stores the URL in another spelling than the one sent.
    pub(crate) fn respell_url(&mut self, respell: impl FnOnce(&str) -> String) {
        if let Some(url) = self.url().map(respell) {
            self.attributes.insert("url", url.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use serde_json::{Value, json};

    use super::*;

    const DOCUMENTED: Rules = Rules {
        put_keeps_secrets: false,
        type_without_url: false,
    };

    fn changes(attributes: &Value) -> Changes {
        Changes::parse(attributes.as_object().unwrap(), false).unwrap()
    }

    fn created(attributes: &Value) -> Store {
        let mut store = Store::default();
        store.create("a", changes(attributes)).unwrap();
        store
    }

    fn flexconnect() -> Value {
        json!({ "name": "n", "type": "FLEXCONNECT", "schema": "", "url": "grpc://h:1", "token": "s" })
    }

    #[test]
    fn secrets_are_kept_and_not_shown() {
        let store = created(&flexconnect());
        let source = store.get("a").unwrap();
        assert_eq!(source.token().unwrap().expose_secret(), "s");
        assert!(!source.attributes().contains_key("token"));
        assert_eq!(source.attributes()["authenticationType"], "TOKEN");
        assert!(!format!("{source:?}").contains("\"s\""));
    }

    #[test]
    fn a_duplicate_is_refused_and_changes_nothing() {
        let mut store = created(&flexconnect());
        assert_eq!(
            store.create("a", changes(&json!({ "name": "other" }))).unwrap_err(),
            Refusal::Duplicate
        );
        assert_eq!(store.get("a").unwrap().text("name"), Some("n"));
    }

    #[test]
    fn a_replacement_drops_what_it_does_not_name() {
        let whole = json!({ "name": "m", "type": "FLEXCONNECT", "schema": "" });
        let mut store = created(&flexconnect());
        store.replace("a", changes(&whole), DOCUMENTED).unwrap();
        assert_eq!(Value::from(store.get("a").unwrap().attributes()), whole_sorted(&whole));
        let mut store = created(&flexconnect());
        store
            .replace(
                "a",
                changes(&whole),
                Rules {
                    put_keeps_secrets: true,
                    ..DOCUMENTED
                },
            )
            .unwrap();
        assert!(store.get("a").unwrap().token().is_some());
    }

    fn whole_sorted(attributes: &Value) -> Value {
        attributes.as_object().unwrap().clone().into_iter().collect()
    }

    #[test]
    fn a_patch_keeps_what_it_does_not_name() {
        let mut store = created(&flexconnect());
        store
            .patch(
                "a",
                changes(&json!({ "name": "m", "url": null, "type": "FLEXCONNECT" })),
                DOCUMENTED,
            )
            .unwrap();
        let source = store.get("a").unwrap();
        assert_eq!((source.text("name"), source.url()), (Some("m"), None));
        assert!(source.token().is_some());
    }

    #[test]
    fn type_and_url_are_patched_together() {
        let mut store = created(&flexconnect());
        for one in [json!({ "url": "grpc://x:1" }), json!({ "type": "FLEXCONNECT" })] {
            assert!(matches!(
                store.patch("a", changes(&one), DOCUMENTED),
                Err(Refusal::Invalid(_))
            ));
        }
        let lax = Rules {
            type_without_url: true,
            ..DOCUMENTED
        };
        store.patch("a", changes(&json!({ "url": "grpc://x:1" })), lax).unwrap();
        assert_eq!(store.get("a").unwrap().url(), Some("grpc://x:1"));
    }

    #[test]
    fn credentials_come_in_one_kind() {
        let mut store = created(&flexconnect());
        let error = store
            .patch("a", changes(&json!({ "username": "u" })), DOCUMENTED)
            .unwrap_err();
        let Refusal::Invalid(Invalid(text)) = error else {
            panic!("{error:?}")
        };
        assert!(text.ends_with(
            "Datasource: a, user: <yes>, password: <no>, token: <yes>, key-pair: <no>, clientId: <no>, \
             clientSecret: <no>"
        ));
        let rotated = json!({ "token": null, "username": "u", "password": "p" });
        store.patch("a", changes(&rotated), DOCUMENTED).unwrap();
        assert_eq!(
            store.get("a").unwrap().attributes()["authenticationType"],
            "USERNAME_PASSWORD"
        );
    }

    #[test]
    fn date_time_semantics_is_for_few() {
        let mut store = created(&flexconnect());
        let patch = json!({ "dateTimeSemantics": "UTC" });
        assert!(matches!(
            store.patch("a", changes(&patch), DOCUMENTED),
            Err(Refusal::Invalid(_))
        ));
    }
}
