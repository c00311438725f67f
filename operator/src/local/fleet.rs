//! From the text of a file to the fleet that shall run here: the same reading, validating and building as in a cluster,
//! then the few settings that differ on one machine. Pure, except for the random bits of new keys.

use std::path::Path;
use std::sync::Arc;

use flexconnect_crds::{DeletionPolicy, FlexConnectServer, Manifest, ManifestError};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use sha2::{Digest as _, Sha256};
use toml::{Table, Value};

use super::environment::{Documents, environment};
use super::functions;
use crate::build::{
    CERTIFICATE_KEY, CONFIG_KEY, Credentials, Objects, PRIVATE_KEY, Prepared, SETTINGS_KEY, Secrets, TOKENS_KEY,
    TlsError, build, desired, read_tokens, token_secret,
};
use crate::exposure::Endpoint;
use crate::fleet::{DataSource, Tls, ValidatedFleet};
use crate::names::{FleetName, Ordinal};
use crate::registration::Desired;
use crate::validate::{Invalid, MAX_URL, validate};

/// The host that replicas listen on, and the name that they advertise for it.
pub(super) const LISTEN_HOST: &str = "127.0.0.1";
pub(super) const ADVERTISED_HOST: &str = "localhost";
/// How long a draining replica waits for late calls: one machine has no DNS or proxy that lags behind.
const PROPAGATION_DELAY_SECONDS: i64 = 1;

/// Why a file makes no fleet.
#[derive(Debug, thiserror::Error)]
pub(super) enum FleetError {
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("{field}: {message}")]
    Field { field: String, message: String },
}

impl FleetError {
    pub(super) fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Field {
            field: field.into(),
            message: message.into(),
        }
    }

    /// The error and its causes, as one sentence.
    pub(super) fn sentence(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// A fleet that shall run on this machine.
#[derive(Clone)]
pub(super) struct LocalFleet {
    pub(super) name: FleetName,
    pub(super) replicas: u16,
    pub(super) settings: Arc<Settings>,
    pub(super) sources: Vec<Source>,
    /// The fields of the object that mean nothing here.
    pub(super) ignored: Vec<String>,
    fleet: Arc<ValidatedFleet>,
    credentials: Credentials,
}

/// A data source, and what becomes of it in the end.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) source: DataSource,
    pub(super) deletion_policy: DeletionPolicy,
}

/// What every replica is started with.
pub(super) struct Settings {
    /// The configuration as built for a cluster.
    config: Table,
    /// Files beside the configuration, by name; some hold secrets.
    pub(super) files: Vec<(String, Vec<u8>)>,
    /// The user's environment variables.
    pub(super) environment: Vec<(String, String)>,
    /// Whether the replicas speak TLS.
    pub(super) tls: bool,
    /// Seconds that a replica may take to drain before it is killed.
    pub(super) drain_seconds: u64,
    /// Differs when a replica has to be started anew.
    pub(super) digest: [u8; 32],
}

/// Where one replica listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ports {
    pub(super) flight: u16,
    pub(super) health: u16,
}

impl LocalFleet {
    /// Reads a file. `kept` holds the keys of an earlier reading and gets those of this one, so that an edit changes no
    /// certificate and no token.
    pub(super) fn read(text: &str, kept: &mut Secrets) -> Result<Self, FleetError> {
        let Manifest {
            server: object,
            secrets,
            config_maps,
        } = Manifest::read(text)?;
        let documents = Documents::new(secrets, config_maps);
        let fleet = validate(&object, &documents.references)?;
        let environment = environment(&fleet, &documents)?;
        let code = functions::code(&fleet, &documents)?;
        let sources = sources(&fleet, &object)?;
        // Built without replicas, the certificate names this machine alone, and scaling changes nothing in it.
        let shape = ValidatedFleet {
            replicas: 0,
            ..fleet.clone()
        };
        let now = Timestamp::now();
        let mut objects = build(&shape, kept, 0, now)?;
        // A change starts the replicas anew here, so that nobody has the old token for long.
        let tokens = objects
            .secrets
            .token
            .as_ref()
            .and_then(|secret| read_tokens(secret, now));
        objects.secrets.token = tokens.map(|tokens| token_secret(&shape, &tokens.accepted(now).handed_out()));
        let credentials = objects.credentials();
        let settings = Arc::new(settings(&fleet, &objects, environment, code));
        *kept = objects.secrets;
        let local = Self {
            name: fleet.name.clone(),
            replicas: fleet.replicas,
            settings,
            sources,
            ignored: functions::ignored(&object),
            fleet: Arc::new(fleet),
            credentials,
        };
        local.check_url_length()?;
        Ok(local)
    }

    /// The data source as it shall be, with these ports behind it.
    pub(super) fn desired(&self, source: &DataSource, ports: impl IntoIterator<Item = (u16, u16)>) -> Desired {
        let endpoints: Vec<_> = ports
            .into_iter()
            .map(|(ordinal, port)| self.settings.endpoint(ordinal, port))
            .collect();
        let mut desired = desired(&self.fleet, source, &endpoints, self.credentials.clone());
        desired.own_hosts.insert(ADVERTISED_HOST.to_owned());
        desired
    }

    /// The name of a replica, for people.
    pub(super) fn replica_name(&self, ordinal: u16) -> String {
        self.name.replica(Ordinal(ordinal))
    }

    /// The names here have another length than those in a cluster, which were checked already.
    fn check_url_length(&self) -> Result<(), FleetError> {
        let length = (self.settings.endpoint(0, u16::MAX).url().len() + 1) * usize::from(self.replicas);
        if self.sources.is_empty() || length <= MAX_URL + 1 {
            return Ok(());
        }
        let message = format!(
            "the URLs of {} replicas have {} characters, and GoodData stores {MAX_URL}: use fewer replicas",
            self.replicas,
            length - 1
        );
        Err(FleetError::field("spec.replicas", message))
    }
}

impl Settings {
    /// Where GoodData reaches a replica that listens on a port.
    pub(super) fn endpoint(&self, ordinal: u16, port: u16) -> Endpoint {
        Endpoint {
            ordinal: Ordinal(ordinal),
            host: ADVERTISED_HOST.to_owned(),
            port,
            tls: self.tls,
        }
    }

    /// The configuration of one replica, whose files lie in `directory`.
    pub(super) fn render(&self, ports: Ports, directory: &Path) -> String {
        let text = |text: &str| Value::String(text.to_owned());
        let file = |name: &str| Value::String(format!("@{}", directory.join(name).display()));
        let mut config = self.config.clone();
        let code = directory.join(functions::CODE);
        functions::localize(&mut config, self.has_code().then_some(code.as_path()));
        let server = config.entry("server").or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(server) = server {
            let mut set = |key: &str, value: Value| server.insert(key.to_owned(), value);
            set("listen_host", text(LISTEN_HOST));
            set("listen_port", Value::Integer(ports.flight.into()));
            set("advertise_host", text(ADVERTISED_HOST));
            set("advertise_port", Value::Integer(ports.flight.into()));
            set("health_check_host", text(LISTEN_HOST));
            set("health_check_port", Value::Integer(ports.health.into()));
            if self.tls {
                set("tls_certificate", file(CERTIFICATE_KEY));
                set("tls_private_key", file(PRIVATE_KEY));
            }
            server
                .entry("propagation_delay_sec")
                .or_insert(Value::Integer(PROPAGATION_DELAY_SECONDS));
        }
        config.to_string()
    }

    /// The files that a replica reads its configuration from, in their order.
    pub(super) fn config_files(&self) -> impl Iterator<Item = &str> {
        let others = self
            .files
            .iter()
            .map(|(name, _)| name.as_str())
            .filter(|name| [SETTINGS_KEY, TOKENS_KEY].contains(name));
        std::iter::once(CONFIG_KEY).chain(others)
    }

    fn has_code(&self) -> bool {
        let folder = |name: &str| Path::new(name).parent().map(Path::to_owned);
        self.files
            .iter()
            .any(|(name, _)| folder(name).as_deref() == Some(Path::new(functions::CODE)))
    }
}

fn settings(
    fleet: &ValidatedFleet,
    objects: &Objects<Prepared>,
    environment: Vec<(String, String)>,
    code: Vec<(String, Vec<u8>)>,
) -> Settings {
    let text = objects.config.data.as_ref().and_then(|data| data.get(CONFIG_KEY));
    // The text was written from a table a moment ago.
    let config: Table = text.and_then(|text| text.parse().ok()).unwrap_or_default();
    let data = |secret: Option<&Secret>, key: &str| {
        let data = secret.and_then(|secret| secret.data.as_ref()?.get(key))?;
        Some((key.to_owned(), data.0.clone()))
    };
    let Secrets {
        ca: _,
        tls,
        token,
        settings,
    } = &objects.secrets;
    let secrets = [
        data(tls.as_ref(), CERTIFICATE_KEY),
        data(tls.as_ref(), PRIVATE_KEY),
        data(settings.as_ref(), SETTINGS_KEY),
        data(token.as_ref(), TOKENS_KEY),
    ];
    let files = secrets.into_iter().flatten().chain(code).collect::<Vec<_>>();

    let mut hash = Sha256::new();
    hash.update(config.to_string());
    for (name, content) in &files {
        hash.update(name);
        hash.update(Sha256::digest(content));
    }
    for (name, value) in &environment {
        hash.update(Sha256::digest(name));
        hash.update(Sha256::digest(value));
    }
    Settings {
        config,
        files,
        environment,
        tls: fleet.tls == Tls::SelfSigned,
        drain_seconds: fleet.drain.grace_period(),
        digest: hash.finalize().into(),
    }
}

/// The data sources; in a file, unlike in a cluster, a Secret that is missing does not appear by itself.
fn sources(fleet: &ValidatedFleet, object: &FlexConnectServer) -> Result<Vec<Source>, FleetError> {
    let pairs = fleet.data_sources.iter().zip(&object.spec.data_sources);
    let source = |(index, (source, written)): (usize, (&DataSource, &flexconnect_crds::DataSource))| {
        if let Err(message) = &source.connection {
            return Err(FleetError::field(
                format!("spec.dataSources[{index}]"),
                format!("{message}; add it to the file"),
            ));
        }
        Ok(Source {
            source: source.clone(),
            deletion_policy: written.deletion_policy,
        })
    };
    pairs.enumerate().map(source).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const FLEET: &str = "\
apiVersion: flexconnect.dev/v1alpha1
kind: FlexConnectServer
metadata: {name: sales}
spec:
  replicas: 2
  server:
    image: not-used
    env: [{name: API_KEY, valueFrom: {secretKeyRef: {name: gooddata, key: token}}}]
  settings:
    sales: {api_url: 'https://api.example.com'}
    server: {task_threads: 8}
  dataSources:
    - id: sales
      endpoint: https://gooddata.example.com
      tokenSecret: {name: gooddata, key: token}
---
apiVersion: v1
kind: Secret
metadata: {name: gooddata}
stringData: {token: api-token}
";
    const PORTS: Ports = Ports {
        flight: 17003,
        health: 40001,
    };

    fn read(text: &str) -> LocalFleet {
        LocalFleet::read(text, &mut Secrets::default()).unwrap()
    }

    fn server_table(fleet: &LocalFleet) -> Table {
        let config: Table = fleet.settings.render(PORTS, Path::new("/run/sales-0")).parse().unwrap();
        assert_eq!(config["sales"]["api_url"].as_str(), Some("https://api.example.com"));
        config["server"].as_table().unwrap().clone()
    }

    #[test]
    fn a_replica_listens_here_and_keeps_the_users_settings() {
        let fleet = read(FLEET);
        let server = server_table(&fleet);
        let expected: Table = "
            listen_host = '127.0.0.1'
            listen_port = 17003
            advertise_host = 'localhost'
            advertise_port = 17003
            health_check_host = '127.0.0.1'
            health_check_port = 40001
            tls_certificate = '@/run/sales-0/tls.crt'
            tls_private_key = '@/run/sales-0/tls.key'
            propagation_delay_sec = 1
            task_threads = 8
            use_tls = true
            authentication_method = 'token'
        "
        .parse()
        .unwrap();
        assert_eq!(server, expected);
        assert_eq!(
            fleet.settings.environment,
            [("API_KEY".to_owned(), "api-token".to_owned())]
        );
        let names: Vec<_> = fleet.settings.files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["tls.crt", "tls.key", "tokens.toml"]);
        assert_eq!(
            fleet.settings.config_files().collect::<Vec<_>>(),
            ["flexconnect.toml", "tokens.toml"]
        );
    }

    #[test]
    fn a_delay_of_the_user_stays() {
        let fleet = read(&FLEET.replace("task_threads: 8", "propagation_delay_sec: 7"));
        assert_eq!(server_table(&fleet)["propagation_delay_sec"].as_integer(), Some(7));
    }

    #[test]
    fn plain_text_needs_no_files() {
        let text = FLEET.replace(
            "  replicas: 2\n",
            "  replicas: 2\n  tls: {disabled: {}}\n  auth: {none: {}}\n",
        );
        let fleet = read(&text);
        assert!(fleet.settings.files.is_empty() && !server_table(&fleet).contains_key("tls_certificate"));
        assert_eq!(fleet.settings.endpoint(0, 17001).url(), "grpc://localhost:17001");
    }

    #[rstest]
    #[case::nothing("x", "x", false)]
    #[case::replicas("replicas: 2", "replicas: 3", false)]
    #[case::data_source("endpoint: https://gooddata", "endpoint: https://other", false)]
    #[case::settings("task_threads: 8", "task_threads: 9", true)]
    #[case::environment("name: API_KEY", "name: KEY", true)]
    #[case::tls("  replicas: 2\n", "  tls: {disabled: {}}\n", true)]
    fn only_what_replicas_read_starts_them_anew(#[case] from: &str, #[case] to: &str, #[case] anew: bool) {
        let mut kept = Secrets::default();
        let before = LocalFleet::read(FLEET, &mut kept).unwrap();
        let after = LocalFleet::read(&FLEET.replace(from, to), &mut kept).unwrap();
        assert_eq!(before.settings.digest != after.settings.digest, anew);
    }

    #[test]
    fn the_data_source_leads_here() {
        let fleet = read(FLEET);
        let desired = fleet.desired(&fleet.sources[0].source, [(0, 17001), (2, 17005)]);
        assert_eq!(
            desired.urls,
            ["grpc+tls://localhost:17001", "grpc+tls://localhost:17005"]
        );
        assert!(desired.own_hosts.contains("localhost"));
        assert!(desired.token.is_some() && desired.tls_root_certificate_pem.is_some());
    }

    #[test]
    fn what_does_not_fit_into_one_url_is_refused() {
        let short = FLEET
            .replace("name: sales}", "name: s, namespace: n}")
            .replace("replicas: 2", "replicas: 10");
        let error = LocalFleet::read(&short, &mut Secrets::default())
            .err()
            .unwrap()
            .sentence();
        assert!(
            error.starts_with("spec.replicas: the URLs of 10 replicas have 269 characters"),
            "{error}"
        );
    }
}
