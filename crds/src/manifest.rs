//! Manifests read from files: one `FlexConnectServer` with the Secrets and `ConfigMaps` it names, read more strictly than
//! the API server does.

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use thiserror::Error;

use crate::FlexConnectServer;

const API_VERSION: &str = "flexconnect.dev/v1alpha1";
/// Said by each object, kept in the type.
const TYPE_META: [&str; 2] = ["apiVersion", "kind"];

/// The objects of one file.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The fleet.
    pub server: FlexConnectServer,
    /// The Secrets that the fleet may name.
    pub secrets: Vec<Secret>,
    /// The `ConfigMaps` that the fleet may name.
    pub config_maps: Vec<ConfigMap>,
}

/// Why a file cannot be used.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// The text is not YAML.
    #[error("document {document} is not YAML")]
    Syntax {
        /// Which document of the file, counted from 1.
        document: usize,
        /// Where and why.
        #[source]
        source: serde_yaml::Error,
    },
    /// A field has a value of another type than the API's.
    #[error("{kind} {name:?}: {path}: {reason}")]
    Field {
        /// The kind of the object.
        kind: String,
        /// The name of the object.
        name: String,
        /// The path of the field.
        path: String,
        /// What is wrong with its value.
        reason: String,
    },
    /// Fields that the API does not have.
    #[error("{kind} {name:?}: unknown field {}: remove it, or correct its name or its place", paths.join(", "))]
    UnknownFields {
        /// The kind of the object.
        kind: String,
        /// The name of the object.
        name: String,
        /// The paths of the fields.
        paths: Vec<String>,
    },
    /// An object of a kind that has no place here.
    #[error(
        "document {document} is {kind} of {api_version}: only FlexConnectServer of {API_VERSION}, and Secret and ConfigMap \
         of v1 can be used"
    )]
    Kind {
        /// Which document of the file, counted from 1.
        document: usize,
        /// The kind found.
        kind: String,
        /// The API version found.
        api_version: String,
    },
    /// No fleet, or several.
    #[error("found {found} objects of kind FlexConnectServer: exactly one is needed")]
    Count {
        /// How many were found.
        found: usize,
    },
}

impl Manifest {
    /// Reads a YAML (or JSON) text of one or several documents.
    ///
    /// # Errors
    /// The first thing that is wrong, with the path of its field. Unknown fields are wrong: they are mistyped names.
    pub fn read(text: &str) -> Result<Self, ManifestError> {
        let mut servers = Vec::new();
        let mut secrets = Vec::new();
        let mut config_maps = Vec::new();
        for (index, document) in serde_yaml::Deserializer::from_str(text).enumerate() {
            let number = index + 1;
            let value = Value::deserialize(document).map_err(|source| ManifestError::Syntax {
                document: number,
                source,
            })?;
            if value.is_null() {
                continue;
            }
            let text_at = |pointer: &str| {
                value
                    .pointer(pointer)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            match (text_at("/apiVersion").as_str(), text_at("/kind").as_str()) {
                (API_VERSION, "FlexConnectServer") => servers.push(read_object(&value)?),
                ("v1", "Secret") => secrets.push(read_secret(&value)?),
                ("v1", "ConfigMap") => config_maps.push(read_object(&value)?),
                (api_version, kind) => {
                    let or_nothing = |text: &str| if text.is_empty() { "nothing" } else { text }.to_owned();
                    return Err(ManifestError::Kind {
                        document: number,
                        kind: or_nothing(kind),
                        api_version: or_nothing(api_version),
                    });
                }
            }
        }
        match <[FlexConnectServer; 1]>::try_from(servers) {
            Ok([server]) => Ok(Self {
                server,
                secrets,
                config_maps,
            }),
            Err(servers) => Err(ManifestError::Count { found: servers.len() }),
        }
    }
}

/// Reads one object, refusing fields that its type does not have.
fn read_object<T: DeserializeOwned>(value: &Value) -> Result<T, ManifestError> {
    let text_at = |pointer: &str| {
        value
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let (kind, name) = (text_at("/kind"), text_at("/metadata/name"));
    let mut paths = Vec::new();
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(value, &mut track);
    let read = serde_ignored::deserialize(tracked, |path| paths.push(readable(&path)));
    paths.retain(|path| !TYPE_META.contains(&path.as_str()));
    match read {
        Ok(object) if paths.is_empty() => Ok(object),
        Ok(_) => Err(ManifestError::UnknownFields { kind, name, paths }),
        Err(error) => Err(ManifestError::Field {
            kind,
            name,
            path: track.path().to_string(),
            reason: error.to_string(),
        }),
    }
}

/// Reads a Secret as the API server would: `stringData` goes over `data`.
fn read_secret(value: &Value) -> Result<Secret, ManifestError> {
    let mut secret: Secret = read_object(value)?;
    let data = secret.data.get_or_insert_default();
    for (key, text) in secret.string_data.take().unwrap_or_default() {
        data.insert(key, k8s_openapi::ByteString(text.into_bytes()));
    }
    Ok(secret)
}

/// The path as users write it: `spec.dataSources[0].id`.
fn readable(path: &serde_ignored::Path<'_>) -> String {
    use serde_ignored::Path;
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => format!("{}[{index}]", readable(parent)),
        Path::Map { parent, key } => match readable(parent) {
            parent if parent.is_empty() => key.clone(),
            parent => format!("{parent}.{key}"),
        },
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => readable(parent),
    }
}
