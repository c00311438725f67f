//! Configuration: files and environment become typed sections, with all mistakes reported at once.
//!
//! Layers, the later over the earlier: defaults, the files in their order (each with its `x.local.toml`), the
//! environment. The original's files and variables are read as they are; what was a trap there is a mistake here.

mod casts;
mod document;
mod files;
mod kinds;
mod reader;
mod reference;
mod reload;
mod report;
mod schema;
mod sections;
mod setting;
mod survey;
mod tables;
mod tree;
mod variables;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use reference::reference;
pub use reload::Origin;
pub use report::{Mistake, Mistakes, Source, Warning};
pub use sections::{
    AnswerSettings, Authentication, Config, ConnectionSettings, DrainSettings, FlexConnectSection, FunctionLimit,
    FunctionLimits, HostPort, JwtSettings, KeySet, LogSettings, Pem, PemText, ServerSection, SpillSettings,
    TaskSettings, Tls, TokenHeader, TokenVerification, TraceExporter, TraceKeys, TraceSettings,
};
pub use setting::Unwritten;
pub use survey::{Entry, Shown, Standing, Survey, literal, survey};
pub use tables::{SettingError, Tables};

use report::Findings;
use tree::Table;

/// What a configuration is made from.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// Settings files, the later over the earlier.
    pub files: Vec<PathBuf>,
    /// The environment; other variables than `GOODDATA_FLIGHT_*` are read by `@format {env[NAME]}` only.
    pub variables: BTreeMap<String, String>,
    /// The advertised host when none is configured.
    pub machine_name: String,
}

impl Inputs {
    /// The files given, the environment of this process, the name of this machine.
    ///
    /// # Errors
    /// When one of our variables is no UTF-8 text.
    pub fn of_this_process(files: Vec<PathBuf>) -> Result<Self, Mistakes> {
        let variables = variables::decode(std::env::vars_os())?;
        Ok(Self {
            files,
            variables,
            machine_name: crate::net::machine_name(),
        })
    }
}

/// Reads the files and puts the configuration together. Files that cannot be used are reported alone, since without
/// them the rest cannot be judged.
pub fn load(inputs: &Inputs) -> Result<(Config, Vec<Warning>), Mistakes> {
    let mut findings = Findings::default();
    let mut settings = Table::default();
    files::load(&inputs.files, &mut settings, &mut findings);
    if !findings.mistakes.is_empty() {
        return Err(Mistakes(findings.mistakes));
    }
    assemble(settings, inputs, findings)
}

/// The part of [`load`] that touches nothing.
fn assemble(files: Table, inputs: &Inputs, mut findings: Findings) -> Result<(Config, Vec<Warning>), Mistakes> {
    let settings = merge(files, inputs, &mut findings);
    match sections::resolve(&settings, &inputs.machine_name, &mut findings) {
        Ok((server, flexconnect)) if findings.mistakes.is_empty() => {
            let config = Config {
                server,
                flexconnect,
                tables: tables_for_functions(&settings),
                effective: survey::effective(&settings),
                origin: Origin::new(inputs.clone()),
            };
            Ok((config, findings.warnings))
        }
        Ok(_) | Err(_) => Err(Mistakes(findings.mistakes)),
    }
}

/// Lays the environment over the files, and casts what asks for it.
fn merge(mut settings: Table, inputs: &Inputs, findings: &mut Findings) -> Table {
    let layer = variables::load(&inputs.variables, findings);
    settings.overlay(layer, findings);
    casts::apply(&mut settings, &inputs.variables, findings);
    schema::check_names(&settings, findings);
    settings
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
