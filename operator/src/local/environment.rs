//! The environment variables of the replicas, with the values that a kubelet would look up. Pure.

use std::collections::BTreeMap;

use flexconnect_crds::SecretKey;
use k8s_openapi::api::core::v1::{ConfigMap, EnvFromSource, EnvVar, Secret};

use super::fleet::FleetError;
use crate::dereference::References;
use crate::fleet::ValidatedFleet;

/// What a file holds besides the fleet.
pub(super) struct Documents {
    pub(super) references: References,
    secrets: Vec<Secret>,
    config_maps: BTreeMap<String, BTreeMap<String, String>>,
}

impl Documents {
    pub(super) fn new(secrets: Vec<Secret>, config_maps: Vec<ConfigMap>) -> Self {
        let entry = |map: ConfigMap| (map.metadata.name.unwrap_or_default(), map.data.unwrap_or_default());
        Self {
            references: secrets.iter().cloned().collect(),
            secrets,
            config_maps: config_maps.into_iter().map(entry).collect(),
        }
    }

    /// The texts of a `ConfigMap`.
    pub(super) fn config_map(&self, name: &str) -> Result<&BTreeMap<String, String>, String> {
        let map = self.config_maps.get(name);
        map.ok_or_else(|| format!("there is no ConfigMap {name:?} in the file: add it"))
    }

    fn secret(&self, name: &str) -> Result<impl Iterator<Item = (String, String)> + use<>, String> {
        let mut secrets = self.secrets.iter();
        let secret = secrets.find(|secret| secret.metadata.name.as_deref() == Some(name));
        let data = secret.and_then(|secret| secret.data.clone());
        let data = data.ok_or_else(|| format!("there is no Secret {name:?} in the file: add it"))?;
        let texts = data
            .into_iter()
            .filter_map(|(key, value)| Some((key, String::from_utf8(value.0).ok()?)));
        Ok(texts)
    }
}

/// The variables of the server and of the functions, which run together here. Later ones go before earlier ones.
pub(super) fn environment(fleet: &ValidatedFleet, documents: &Documents) -> Result<Vec<(String, String)>, FleetError> {
    let server = &fleet.container;
    let mut variables = from_sources("spec.server", &server.env_from, documents)?;
    variables.extend(values("spec.server", &server.env, documents)?);
    if let Some(functions) = &fleet.functions {
        variables.extend(from_sources("spec.functions", &functions.env_from, documents)?);
        variables.extend(values("spec.functions", &functions.env, documents)?);
    }
    Ok(variables)
}

/// All keys of Secrets and `ConfigMaps`.
fn from_sources(
    container: &str,
    sources: &[EnvFromSource],
    documents: &Documents,
) -> Result<Vec<(String, String)>, FleetError> {
    let mut variables = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        let (found, optional) = match (&source.secret_ref, &source.config_map_ref) {
            (Some(secret), _) => {
                let texts = documents.secret(&secret.name);
                (texts.map(Iterator::collect::<Vec<_>>), secret.optional)
            }
            (None, Some(map)) => {
                let texts = documents.config_map(&map.name);
                (texts.map(|texts| texts.clone().into_iter().collect()), map.optional)
            }
            // Refused before.
            (None, None) => continue,
        };
        let prefix = source.prefix.as_deref().unwrap_or_default();
        match found {
            Ok(texts) => variables.extend(texts.into_iter().map(|(key, text)| (format!("{prefix}{key}"), text))),
            Err(_) if optional == Some(true) => {}
            Err(message) => return Err(FleetError::field(format!("{container}.envFrom[{index}]"), message)),
        }
    }
    Ok(variables)
}

/// What only a pod has cannot be had here.
fn values(container: &str, env: &[EnvVar], documents: &Documents) -> Result<Vec<(String, String)>, FleetError> {
    let value = |(index, variable): (usize, &EnvVar)| {
        let refused = |message: String| FleetError::field(format!("{container}.env[{index}].valueFrom"), message);
        let Some(source) = &variable.value_from else {
            return Ok((variable.name.clone(), variable.value.clone().unwrap_or_default()));
        };
        let value = match (&source.secret_key_ref, &source.config_map_key_ref) {
            (Some(reference), _) => {
                let key = SecretKey {
                    name: reference.name.clone(),
                    key: reference.key.clone(),
                };
                documents.references.text(&key)
            }
            (None, Some(reference)) => documents.config_map(&reference.name).and_then(|texts| {
                let text = texts.get(&reference.key).cloned();
                text.ok_or_else(|| format!("the ConfigMap {:?} has no key {:?}", reference.name, reference.key))
            }),
            (None, None) => {
                Err("only secretKeyRef and configMapKeyRef can be used for local processes: give a value".to_owned())
            }
        };
        Ok((variable.name.clone(), value.map_err(refused)?))
    };
    env.iter().enumerate().map(value).collect()
}
