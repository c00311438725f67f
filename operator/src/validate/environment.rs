//! The user's environment variables; those of the server must not undo what the operator sets.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{EnvFromSource, EnvVar};

use super::settings::{OPERATOR_KEYS, OPERATOR_SECTION};
use super::{Errors, validate_object_name};

/// Variables that the operator sets in each container.
const OPERATOR_VARIABLES: [&str; 2] = ["POD_NAME", "REPLICA"];

/// What a server reads settings from.
const SETTING_PREFIXES: [&str; 2] = ["GOODDATA_FLIGHT_", "DYNACONF_"];

pub(super) fn validate(container: &str, env: &[EnvVar], errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, variable) in env.iter().enumerate() {
        let name = variable.name.as_str();
        let field = format!("{container}.env[{index}].name");
        if name.is_empty() || name.contains('=') || name.chars().any(|character| !character.is_ascii_graphic()) {
            errors.field(field, format!("{name:?} is not the name of an environment variable"));
        } else if !seen.insert(name) {
            errors.field(field, format!("{name} is given twice"));
        }
    }
}

/// The variables of the server's container that the operator has set already.
pub(super) fn refuse_operator_settings(container: &str, env: &[EnvVar], errors: &mut Errors) {
    for (index, variable) in env.iter().enumerate() {
        if sets_operator_setting(&variable.name) {
            let message = format!("{} is set by the operator: remove it", variable.name);
            errors.field(format!("{container}.env[{index}].name"), message);
        }
    }
}

/// Secrets and `ConfigMaps` all of whose keys become variables.
pub(super) fn validate_sources(container: &str, sources: &[EnvFromSource], errors: &mut Errors) {
    for (index, source) in sources.iter().enumerate() {
        let field = format!("{container}.envFrom[{index}]");
        match (&source.secret_ref, &source.config_map_ref) {
            (Some(secret), None) => {
                validate_object_name(&format!("{field}.secretRef.name"), "Secret", &secret.name, errors);
            }
            (None, Some(map)) => {
                validate_object_name(&format!("{field}.configMapRef.name"), "ConfigMap", &map.name, errors);
            }
            (Some(_), Some(_)) | (None, None) => errors.field(field, "set exactly one of secretRef and configMapRef"),
        }
    }
}

fn sets_operator_setting(name: &str) -> bool {
    if OPERATOR_VARIABLES.contains(&name) {
        return true;
    }
    let Some(setting) = SETTING_PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)) else {
        return false;
    };
    let setting = setting.to_ascii_lowercase();
    let mut levels = setting.split("__");
    match (levels.next(), levels.next()) {
        (Some(OPERATOR_SECTION), _) | (Some("server"), None) | (Some("python"), None | Some("socket")) => true,
        (Some("server"), Some(key)) => OPERATOR_KEYS.contains(&key),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("POD_NAME", true)]
    #[case("GOODDATA_FLIGHT_SERVER__LISTEN_PORT", true)]
    #[case("GOODDATA_FLIGHT_Server__Use_Tls", true)]
    #[case("GOODDATA_FLIGHT_PYTHON__SOCKET", true)]
    #[case("GOODDATA_FLIGHT_PYTHON__THREADS", false)]
    #[case("DYNACONF_SERVER__ADVERTISE_HOST", true)]
    #[case("GOODDATA_FLIGHT_SERVER", true)]
    #[case("GOODDATA_FLIGHT_ENUMERATED_TOKENS__TOKENS", true)]
    #[case("GOODDATA_FLIGHT_SERVER__TASK_THREADS", false)]
    #[case("GOODDATA_FLIGHT_SALES__API_URL", false)]
    #[case("RUST_LOG", false)]
    fn only_what_the_operator_sets_is_refused(#[case] name: &str, #[case] refused: bool) {
        assert_eq!(sets_operator_setting(name), refused);
    }
}
