//! The documents of GoodData's entity API for data sources: what we read leniently, what we send exactly.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{CacheStrategy, Desired, LoadBalancing};

/// The one type that we touch.
pub(super) const FLEXCONNECT: &str = "FLEXCONNECT";
/// What GoodData's own template sends for a server without authentication.
const NO_TOKEN: &str = "none";

const LOAD_BALANCING: &str = "loadBalancing";
const TLS_ROOT_CERTIFICATE: &str = "tlsRootCertificate";

/// `{"data": …}` around everything.
#[derive(Debug, Deserialize)]
pub(super) struct Document {
    pub(super) data: Data,
}

#[derive(Debug, Deserialize)]
pub(super) struct Data {
    pub(super) attributes: DataSource,
}

/// A data source as GoodData returns it. Nulls are left out there, so everything is optional here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DataSource {
    pub(super) name: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) schema: Option<String>,
    pub(super) url: Option<String>,
    pub(super) cache_strategy: Option<String>,
    pub(super) parameters: Option<Vec<Parameter>>,
    pub(super) managed: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) value: String,
}

impl DataSource {
    /// A missing strategy behaves as `ALWAYS`.
    pub(super) fn effective_cache_strategy(&self) -> &str {
        self.cache_strategy
            .as_deref()
            .unwrap_or(cache_strategy(CacheStrategy::Always))
    }

    /// The parameters that we own, sorted; a missing `loadBalancing` behaves as `none`.
    pub(super) fn our_parameters(&self) -> Vec<Parameter> {
        let mut ours: Vec<_> = self
            .parameters
            .iter()
            .flatten()
            .filter(|p| is_ours(p))
            .cloned()
            .collect();
        if !ours.iter().any(|parameter| parameter.name == LOAD_BALANCING) {
            ours.push(Parameter::new(LOAD_BALANCING, load_balancing(LoadBalancing::None)));
        }
        ours.sort();
        ours
    }

    /// The parameters that somebody else put there; a PATCH replaces the whole list, so they are sent along.
    pub(super) fn other_parameters(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().flatten().filter(|parameter| !is_ours(parameter))
    }
}

impl Parameter {
    fn new(name: &str, value: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            value: value.into(),
        }
    }
}

/// Attributes to send: those that are set.
#[derive(Debug, Clone, Default)]
pub(super) struct Attributes {
    pub(super) name: Option<String>,
    pub(super) schema: Option<String>,
    /// Stands for `type` as well: GoodData wants both or neither.
    pub(super) url: Option<String>,
    pub(super) token: Option<SecretString>,
    pub(super) cache_strategy: Option<&'static str>,
    pub(super) parameters: Option<Vec<Parameter>>,
}

impl Attributes {
    /// Everything that we want.
    pub(super) fn all(desired: &Desired) -> Self {
        Self {
            name: Some(desired.name.clone()),
            schema: Some(String::new()),
            url: Some(desired.url()),
            token: Some(desired.sent_token()),
            cache_strategy: Some(cache_strategy(desired.cache_strategy)),
            parameters: Some(desired.parameters()),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        let Self {
            name,
            schema,
            url,
            token,
            cache_strategy,
            parameters,
        } = self;
        name.is_none()
            && schema.is_none()
            && url.is_none()
            && token.is_none()
            && cache_strategy.is_none()
            && parameters.is_none()
    }

    /// The document of a POST or PATCH. Holds the token in the clear: to be sent, never shown.
    pub(super) fn document(&self, id: &str) -> Value {
        let mut attributes = serde_json::Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                attributes.insert(name.to_owned(), value);
            }
        };
        put("name", self.name.clone().map(Value::String));
        put("type", self.url.is_some().then(|| FLEXCONNECT.into()));
        put("schema", self.schema.clone().map(Value::String));
        put("url", self.url.clone().map(Value::String));
        put("token", self.token.as_ref().map(|token| token.expose_secret().into()));
        put("cacheStrategy", self.cache_strategy.map(Value::from));
        put(
            "parameters",
            self.parameters.as_ref().map(|parameters| json!(parameters)),
        );
        json!({"data": {"id": id, "type": "dataSource", "attributes": attributes}})
    }
}

impl Desired {
    /// The URLs as GoodData wants them.
    pub(super) fn url(&self) -> String {
        self.urls.join(";")
    }

    /// The token to send; a data source without one is sent a word that says so.
    pub(super) fn sent_token(&self) -> SecretString {
        self.token.clone().unwrap_or_else(|| NO_TOKEN.into())
    }

    /// The parameters to send, sorted. The certificate is base64 of the PEM text, which is base64 inside already.
    pub(super) fn parameters(&self) -> Vec<Parameter> {
        let mut parameters = vec![Parameter::new(LOAD_BALANCING, load_balancing(self.load_balancing))];
        if let Some(pem) = &self.tls_root_certificate_pem {
            parameters.push(Parameter::new(TLS_ROOT_CERTIFICATE, STANDARD.encode(pem)));
        }
        parameters.sort();
        parameters
    }
}

fn is_ours(parameter: &Parameter) -> bool {
    [LOAD_BALANCING, TLS_ROOT_CERTIFICATE].contains(&parameter.name.as_str())
}

pub(super) fn cache_strategy(strategy: CacheStrategy) -> &'static str {
    match strategy {
        CacheStrategy::Always => "ALWAYS",
        CacheStrategy::Never => "NEVER",
    }
}

fn load_balancing(strategy: LoadBalancing) -> &'static str {
    match strategy {
        LoadBalancing::None => "none",
        LoadBalancing::RoundRobin => "round-robin",
        LoadBalancing::Random => "random",
    }
}
