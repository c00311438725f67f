//! Reading the configuration: at the start, and again while the server runs.

use std::fmt;
use std::sync::Arc;

use secrecy::SecretString;

use super::layers::{Inputs, merge};
use super::report::{Findings, Mistakes, Warning};
use super::sections::{self, Authentication, FlexConnectSection, PythonSection, ServerSection, TokenVerification};
use super::tree::Table;
use super::{files, schema, survey};

/// The whole configuration.
#[derive(Clone)]
pub struct Config {
    /// `[server]`, and `[enumerated_tokens]` and `[jwt]` where they are asked for.
    pub server: ServerSection,
    /// `[flexconnect]`.
    pub flexconnect: FlexConnectSection,
    /// `[python]`, and the modules of `[flexconnect]`.
    pub python: PythonSection,
    /// All tables as functions may read them; the server's own secrets are left out.
    pub tables: serde_json::Map<String, serde_json::Value>,
    /// All settings of the server that have a value, by section, for the log: secrets are hidden.
    pub effective: serde_json::Value,
    /// Where it was read from, to read it again.
    pub origin: Origin,
}

/// Tables hold what functions configure, secrets included, so their values are not shown.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            server,
            flexconnect,
            python,
            tables,
            effective: _,
            origin,
        } = self;
        let sections = tables.keys().collect::<Vec<_>>();
        f.debug_struct("Config")
            .field("server", server)
            .field("flexconnect", flexconnect)
            .field("python", python)
            .field("tables", &sections)
            .field("origin", origin)
            .finish()
    }
}

/// Reads the files and puts the configuration together. Files that cannot be used are reported alone, since without
/// them the rest cannot be judged.
pub fn load(inputs: &Inputs) -> Result<(Config, Vec<Warning>), Mistakes> {
    let mut findings = Findings::new(schema::is_secret);
    let mut settings = Table::default();
    files::load(&inputs.files, &mut settings, &mut findings);
    if !findings.mistakes.is_empty() {
        return Err(Mistakes(findings.mistakes));
    }
    assemble(settings, inputs, findings)
}

/// The door of the fuzzers: [`load`] for one settings file whose text is at hand.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz_document(format: u8, text: &str) {
    use super::{Source, document};
    let parse = match format % 3 {
        0 => document::toml,
        1 => document::yaml,
        _ => document::json,
    };
    let source = Source::file(std::path::Path::new("settings"));
    if let Ok(settings) = parse(text, &source)
        && let Err(mistakes) = assemble(settings, &Inputs::default(), Findings::new(schema::is_secret))
    {
        assert!(!mistakes.to_string().is_empty(), "refused without a word");
    }
}

/// The part of [`load`] that touches nothing.
pub(super) fn assemble(
    files: Table,
    inputs: &Inputs,
    mut findings: Findings,
) -> Result<(Config, Vec<Warning>), Mistakes> {
    let settings = merge(files, inputs, &mut findings);
    match sections::resolve(&settings, &inputs.machine_name, &mut findings) {
        Ok((server, flexconnect, python)) if findings.mistakes.is_empty() => {
            let config = Config {
                server,
                flexconnect,
                python,
                tables: tables_for_functions(&settings),
                effective: survey::effective(&settings),
                origin: Origin::new(inputs.clone()),
            };
            Ok((config, findings.warnings))
        }
        Ok(_) | Err(_) => Err(Mistakes(findings.mistakes)),
    }
}

/// Functions see every table, without the server's own secrets.
fn tables_for_functions(settings: &Table) -> serde_json::Map<String, serde_json::Value> {
    let mut tables = settings.to_json();
    tables.shift_remove("enumerated_tokens");
    if let Some(serde_json::Value::Object(server)) = tables.get_mut("server") {
        server.shift_remove("tls_private_key");
    }
    tables
}

/// Where a configuration was read from.
#[derive(Clone)]
pub struct Origin(Arc<Inputs>);

impl Origin {
    pub(crate) fn new(inputs: Inputs) -> Self {
        Self(Arc::new(inputs))
    }

    /// The tokens that the files list now, laid under the variables the server was started with. `None` when tokens are
    /// not listed any more, or are not what is asked for.
    ///
    /// # Errors
    /// When the configuration as a whole has a mistake: what is half written must not lock callers out.
    pub fn tokens(&self) -> Result<Option<Vec<SecretString>>, Mistakes> {
        let (config, _) = load(&self.0)?;
        Ok(match config.server.authentication {
            Authentication::Token {
                verification: TokenVerification::Enumerated(tokens),
                ..
            } => Some(tokens),
            Authentication::None
            | Authentication::Token {
                verification: TokenVerification::Jwt(_) | TokenVerification::Custom | TokenVerification::Python(_),
                ..
            } => None,
        })
    }
}

/// Variables hold secrets and are not shown.
impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Origin").field(&self.0.files).finish()
    }
}
