//! What a configuration is made from, and how its layers are laid over each other.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::report::{Findings, Mistakes};
use super::tree::Table;
use super::{casts, overlay, schema, variables};

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

/// Lays the environment over the files, and casts what asks for it.
pub(super) fn merge(mut settings: Table, inputs: &Inputs, findings: &mut Findings) -> Table {
    let layer = variables::load(&inputs.variables, findings);
    overlay::overlay(&mut settings, layer, findings);
    casts::apply(&mut settings, &inputs.variables, findings);
    schema::check_names(&settings, findings);
    settings
}
