//! The configuration with types: what the rest of the server works with. Every value has been checked.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderName;
use secrecy::SecretString;

use super::report::Source;

/// The whole configuration.
#[derive(Clone)]
pub struct Config {
    /// `[server]`, and `[enumerated_tokens]` where it is asked for.
    pub server: ServerSection,
    /// `[flexconnect]`.
    pub flexconnect: FlexConnectSection,
    /// All tables as functions may read them; the server's own secrets are left out.
    pub tables: serde_json::Map<String, serde_json::Value>,
}

/// Tables hold what functions configure, secrets included, so their values are not shown.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            server,
            flexconnect,
            tables,
        } = self;
        let sections = tables.keys().collect::<Vec<_>>();
        f.debug_struct("Config")
            .field("server", server)
            .field("flexconnect", flexconnect)
            .field("tables", &sections)
            .finish()
    }
}

/// `[server]`
#[derive(Clone, Debug)]
pub struct ServerSection {
    /// Where Flight listens (`listen_host`, `listen_port`).
    pub listen: HostPort,
    /// What clients are told to connect to (`advertise_host`, `advertise_port`).
    pub advertise: HostPort,
    /// Whether `advertise_host` was not set and is the machine's own name, which is rarely reachable from elsewhere.
    pub advertises_own_name: bool,
    /// TLS, when `use_tls` is true.
    pub tls: Option<Tls>,
    /// Who may call.
    pub authentication: Authentication,
    /// How much runs and is kept.
    pub tasks: TaskSettings,
    /// How the server ends.
    pub drain: DrainSettings,
    /// Where `/live` and `/ready` answer; `None` without `health_check_host`.
    pub health: Option<HostPort>,
    /// The key of the event name in log lines (`log_event_key_name`).
    pub log_event_key: String,
}

/// `[flexconnect]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlexConnectSection {
    /// How long a call may take from its submission (`call_deadline_ms`).
    pub call_deadline: Duration,
    /// How long one polling request waits (`polling_interval_ms`).
    pub polling_interval: Duration,
}

/// A host name or address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    pub host: String,
    /// A port, never 0.
    pub port: u16,
}

/// `host:port`, IPv6 addresses in brackets.
impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// TLS of the Flight port.
#[derive(Clone, Debug)]
pub struct Tls {
    /// `tls_certificate`: the server's certificate, then its intermediates.
    pub certificate: Pem,
    /// `tls_private_key`
    pub private_key: Pem,
    /// `tls_root_certificate`, when `use_mtls` is true: clients must show a certificate that it signed.
    pub client_authority: Option<Pem>,
}

/// PEM text and where it was configured, for errors that are found when it is read.
#[derive(Clone, Debug)]
pub struct Pem {
    /// The setting's key.
    pub key: &'static str,
    /// Where the setting was written.
    pub source: Source,
    /// The text, or where it is.
    pub text: PemText,
}

/// PEM in the setting itself, or `@path`.
#[derive(Clone, Debug)]
pub enum PemText {
    /// The text.
    Inline(SecretString),
    /// A file, relative to the working directory.
    File(PathBuf),
}

/// `authentication_method`
#[derive(Clone, Debug)]
pub enum Authentication {
    /// Everybody may call.
    None,
    /// Calls carry one of these tokens.
    Token {
        /// The header that carries it.
        header: TokenHeader,
        /// `enumerated_tokens.tokens`, never empty.
        tokens: Vec<SecretString>,
    },
}

/// Which header carries the token, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenHeader {
    /// `Authorization: Bearer TOKEN`
    Bearer,
    /// `token_header_name`: the whole value is the token.
    Custom {
        /// The name as it was configured, for messages.
        spelling: String,
        /// The name.
        name: HeaderName,
    },
}

/// How much runs at a time, and how long results are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskSettings {
    /// `task_threads`: calls that run at the same time.
    pub threads: usize,
    /// `task_queue_limit`: calls that may wait; more are answered with BACKPRESSURE.
    pub queue_limit: usize,
    /// `task_result_ttl_sec`, from completion.
    pub result_ttl: Duration,
    /// `task_result_bytes`: memory for encoded results.
    pub result_bytes: u64,
}

/// The phases of the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainSettings {
    /// `lame_duck_sec`: how long new calls are served at most after the signal.
    pub lame_duck: Duration,
    /// `propagation_delay_sec`: the lame duck ends when no new call came for this long.
    pub propagation_delay: Duration,
    /// `drain_timeout_sec`: how long running calls and unread results are waited for after that.
    pub timeout: Duration,
}
