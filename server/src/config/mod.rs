//! Configuration: files and environment become typed sections, with all mistakes reported at once.
//!
//! Layers, the later over the earlier: defaults, the files in their order (each with its `x.local.toml`), the
//! environment. The original's files and variables are read as they are; what was a trap there is a mistake here.

mod casts;
mod document;
mod files;
mod reader;
mod report;
mod resolve;
mod schema;
mod sections;
mod tree;
mod variables;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use report::{Mistake, Mistakes, Source, Warning};
pub use sections::{
    Authentication, Config, DrainSettings, FlexConnectSection, HostPort, Pem, PemText, ServerSection, TaskSettings,
    Tls, TokenHeader,
};

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
    assemble(settings, &inputs.variables, &inputs.machine_name, findings)
}

/// The part of [`load`] that touches nothing.
fn assemble(
    mut settings: Table,
    variables: &BTreeMap<String, String>,
    machine_name: &str,
    mut findings: Findings,
) -> Result<(Config, Vec<Warning>), Mistakes> {
    let layer = variables::load(variables, &mut findings);
    settings.overlay(layer, &mut findings);
    casts::apply(&mut settings, variables, &mut findings);
    schema::check_names(&settings, &mut findings);
    let config = resolve::resolve(&settings, machine_name, &mut findings);
    match config {
        Some(config) if findings.mistakes.is_empty() => Ok((config, findings.warnings)),
        _ => Err(Mistakes(findings.mistakes)),
    }
}
