//! The server's configuration: the user's tables, and what the operator decides.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use toml::{Table, Value};

use super::functions::SOCKET;
use super::stateful_set::{SETTINGS_DIRECTORY, TLS_DIRECTORY, TOKEN_DIRECTORY};
use super::tls::{CERTIFICATE_KEY, PRIVATE_KEY};
use super::{OPERATOR, metadata};
use crate::digest::sha256;
use crate::exposure::{FLIGHT_PORT, HEALTH_PORT};
use crate::fleet::{Auth, Functions, Tls, ValidatedFleet};

/// The file of the configuration, in the `ConfigMap` and in the container.
pub const CONFIG_KEY: &str = "flexconnect.toml";

/// The file of the settings that came from Secrets, in the fleet's Secret and in the container.
pub const SETTINGS_KEY: &str = "settings.toml";

/// The file of the accepted tokens, in the Secret and in the container.
pub const TOKENS_KEY: &str = "tokens.toml";

pub(super) fn config_map(fleet: &ValidatedFleet) -> ConfigMap {
    let head = format!(
        "# Written by {OPERATOR} from {}/{}. Changes are undone.\n",
        fleet.namespace, fleet.name
    );
    ConfigMap {
        metadata: metadata(fleet, fleet.name.config_map()),
        data: Some(BTreeMap::from([(
            CONFIG_KEY.to_owned(),
            format!("{head}{}", settings(fleet)),
        )])),
        ..ConfigMap::default()
    }
}

/// What changes when a server has to read its configuration again.
pub(super) fn digest(config: &ConfigMap) -> String {
    let texts = config.data.iter().flat_map(BTreeMap::values);
    sha256(texts.map(String::as_bytes))
}

fn settings(fleet: &ValidatedFleet) -> Table {
    let text = |text: &str| Value::String(text.to_owned());
    let file = |directory: &str, name: &str| Value::String(format!("@{directory}/{name}"));
    let mut server = Table::from_iter([
        ("listen_host".to_owned(), text("0.0.0.0")),
        ("listen_port".to_owned(), Value::Integer(FLIGHT_PORT.into())),
        ("advertise_port".to_owned(), Value::Integer(FLIGHT_PORT.into())),
        ("health_check_host".to_owned(), text("0.0.0.0")),
        ("health_check_port".to_owned(), Value::Integer(HEALTH_PORT.into())),
    ]);
    match fleet.tls {
        Tls::SelfSigned => {
            server.insert("use_tls".to_owned(), Value::Boolean(true));
            server.insert("tls_certificate".to_owned(), file(TLS_DIRECTORY, CERTIFICATE_KEY));
            server.insert("tls_private_key".to_owned(), file(TLS_DIRECTORY, PRIVATE_KEY));
        }
        Tls::Disabled => {
            server.insert("use_tls".to_owned(), Value::Boolean(false));
        }
    }
    let method = match fleet.auth {
        Auth::Generated { .. } | Auth::Given(_) => "token",
        Auth::None => "none",
    };
    server.insert("authentication_method".to_owned(), text(method));

    if let Some(bytes) = fleet.result_bytes {
        server.insert("task_result_bytes".to_owned(), Value::Integer(bytes.cast_signed()));
    }

    let mut settings = Table::from_iter([("server".to_owned(), Value::Table(server))]);
    if let Some(functions) = &fleet.functions {
        settings.extend(of_functions(functions));
    }
    for (name, table) in &fleet.settings {
        let own = settings.iter_mut().find(|(own, _)| own.eq_ignore_ascii_case(name));
        match (own, table) {
            (Some((_, Value::Table(own))), Value::Table(table)) => own.extend(table.clone()),
            (Some(_) | None, table) => {
                settings.insert(name.clone(), table.clone());
            }
        }
    }
    settings
}

/// Where the functions in Python are, and what they are.
fn of_functions(functions: &Functions) -> Table {
    let texts = |texts: &[String]| Value::Array(texts.iter().cloned().map(Value::String).collect());
    let mut python = Table::from_iter([("socket".to_owned(), Value::String(SOCKET.to_owned()))]);
    if let Some(workers) = functions.workers {
        python.insert("workers".to_owned(), Value::Integer(workers.into()));
    }
    if !functions.config.is_empty() {
        python.insert("config_files".to_owned(), texts(&functions.config));
    }
    let mut tables = Table::from_iter([("python".to_owned(), Value::Table(python))]);
    if !functions.modules.is_empty() {
        let flexconnect = Table::from_iter([("functions".to_owned(), texts(&functions.modules))]);
        tables.insert("flexconnect".to_owned(), Value::Table(flexconnect));
    }
    tables
}

/// The arguments of the server's container.
pub(super) fn arguments(fleet: &ValidatedFleet, config_directory: &str) -> Vec<String> {
    let mut arguments = vec![
        "start".to_owned(),
        "--config".to_owned(),
        format!("{config_directory}/{CONFIG_KEY}"),
    ];
    if fleet.secret_settings.is_some() {
        arguments.push(format!("{SETTINGS_DIRECTORY}/{SETTINGS_KEY}"));
    }
    match fleet.auth {
        Auth::Generated { .. } | Auth::Given(_) => arguments.push(format!("{TOKEN_DIRECTORY}/{TOKENS_KEY}")),
        Auth::None => {}
    }
    arguments
}
