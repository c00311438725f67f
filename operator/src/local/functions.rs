//! Functions in Python on one machine: their modules run in workers of the server itself, with the Python of the machine.
//! Pure.

use std::path::Path;

use flexconnect_crds::FlexConnectServer;
use toml::{Table, Value};

use super::environment::Documents;
use super::fleet::FleetError;
use crate::fleet::{Code, ValidatedFleet};

/// Where the modules lie, below the directory of a replica.
pub(super) const CODE: &str = "code";

/// What only a container of their own needs.
const CONTAINER_SETTINGS: [&str; 2] = ["socket", "config_files"];

/// The files of a `ConfigMap` with code.
pub(super) fn code(fleet: &ValidatedFleet, documents: &Documents) -> Result<Vec<(String, Vec<u8>)>, FleetError> {
    match fleet.functions.as_ref().and_then(|functions| functions.code.as_ref()) {
        Some(Code::ConfigMap(name)) => {
            let texts = documents
                .config_map(name)
                .map_err(|message| FleetError::field("spec.functions.code.configMap", message))?;
            let file = |(key, text): (&String, &String)| (format!("{CODE}/{key}"), text.clone().into_bytes());
            Ok(texts.iter().map(file).collect())
        }
        Some(Code::Claim(_) | Code::Image { .. }) | None => Ok(Vec::new()),
    }
}

/// The settings of a container as those of this machine; `code` is where modules were written to.
pub(super) fn localize(config: &mut Table, code: Option<&Path>) {
    if let Some(Value::Table(python)) = config.get_mut("python") {
        for key in CONTAINER_SETTINGS {
            python.remove(key);
        }
        if let Some(code) = code {
            python.insert("path".to_owned(), Value::String(code.display().to_string()));
        }
    }
}

/// The fields of an object that mean nothing on one machine.
pub(super) fn ignored(object: &FlexConnectServer) -> Vec<String> {
    let spec = &object.spec;
    let (server, functions) = (&spec.server, spec.functions.as_ref());
    let code = functions.and_then(|functions| functions.code.as_ref());
    let present = [
        ("spec.server.image", server.image.is_some()),
        ("spec.server.imagePullPolicy", server.image_pull_policy.is_some()),
        ("spec.server.resources", server.resources.is_some()),
        ("spec.functions.image", functions.is_some()),
        (
            "spec.functions.imagePullPolicy",
            functions.is_some_and(|functions| functions.image_pull_policy.is_some()),
        ),
        (
            "spec.functions.code",
            code.is_some_and(|code| code.config_map.is_none()),
        ),
        (
            "spec.functions.config",
            functions.is_some_and(|functions| !functions.config.is_empty()),
        ),
        (
            "spec.functions.resources",
            functions.is_some_and(|functions| functions.resources.is_some()),
        ),
        ("spec.imagePullSecrets", !spec.image_pull_secrets.is_empty()),
        ("spec.exposure", spec.exposure.is_some()),
        ("spec.disruptionBudget", spec.disruption_budget.is_some()),
        ("spec.autoscaling", spec.autoscaling.is_some()),
        ("spec.networkPolicy", spec.network_policy.is_some()),
        ("spec.podTemplate", spec.pod_template.is_some()),
        ("spec.paused", spec.paused),
    ];
    let fields = present.into_iter().filter(|(_, present)| *present);
    fields.map(|(field, _)| field.to_owned()).collect()
}
