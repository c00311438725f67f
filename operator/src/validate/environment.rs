//! The user's environment variables, which must not undo what the operator sets.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::EnvVar;

use super::Errors;
use super::settings::{OPERATOR_KEYS, OPERATOR_SECTION};

/// Variables that the operator sets in each container.
const OPERATOR_VARIABLES: [&str; 2] = ["POD_NAME", "REPLICA"];

/// What a server reads settings from.
const SETTING_PREFIXES: [&str; 2] = ["GOODDATA_FLIGHT_", "DYNACONF_"];

pub(super) fn validate(env: &[EnvVar], errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, variable) in env.iter().enumerate() {
        let name = variable.name.as_str();
        let field = format!("spec.server.env[{index}].name");
        if name.is_empty() || name.contains('=') || name.chars().any(|character| !character.is_ascii_graphic()) {
            errors.field(field, format!("{name:?} is not the name of an environment variable"));
        } else if sets_operator_setting(name) {
            errors.field(field, format!("{name} is set by the operator: remove it"));
        } else if !seen.insert(name) {
            errors.field(field, format!("{name} is given twice"));
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
        (Some(OPERATOR_SECTION), _) | (Some("server"), None) => true,
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
