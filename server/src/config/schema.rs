//! The names of our settings: what is known, what the original knows and this version does not act on, what is near.

use super::report::Findings;
use super::tree::{Table, Value};

/// A section whose settings are ours; every other section belongs to functions.
pub(super) struct Section {
    pub(super) name: &'static str,
    /// Settings that do something.
    settings: &'static [&'static str],
    /// Settings of the original that have no effect here.
    inert: &'static [&'static str],
}

/// All sections that are ours.
pub(super) const SECTIONS: [Section; 3] = [
    Section {
        name: "server",
        settings: &[
            "listen_host",
            "listen_port",
            "advertise_host",
            "advertise_port",
            "use_tls",
            "use_mtls",
            "tls_certificate",
            "tls_private_key",
            "tls_root_certificate",
            "authentication_method",
            "token_header_name",
            "token_verification",
            "task_threads",
            "task_queue_limit",
            "task_result_ttl_sec",
            "task_result_bytes",
            "lame_duck_sec",
            "propagation_delay_sec",
            "drain_timeout_sec",
            "health_check_host",
            "health_check_port",
            "log_event_key_name",
        ],
        inert: &[
            "task_close_threads",
            "metrics_host",
            "metrics_port",
            "malloc_trim_interval_sec",
            "log_trace_keys",
            "otel_exporter_type",
            "otel_service_name",
            "otel_service_namespace",
            "otel_service_instance_id",
            "otel_extract_context",
        ],
    },
    Section {
        name: "flexconnect",
        settings: &["functions", "call_deadline_ms", "polling_interval_ms"],
        inert: &[],
    },
    Section {
        name: "enumerated_tokens",
        settings: &["tokens"],
        inert: &[],
    },
];

impl Section {
    pub(super) fn knows(&self, setting: &str) -> bool {
        self.names().any(|name| name == setting)
    }

    /// Every known setting.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.settings.iter().chain(self.inert).copied()
    }
}

/// Warns of settings that do nothing: unknown, misplaced, or of the original only.
pub(super) fn check_names(settings: &Table, findings: &mut Findings) {
    for (name, node) in settings.iter() {
        match (SECTIONS.iter().find(|section| section.name == name), &node.value) {
            (Some(section), Value::Table(table)) => check_section(section, table, findings),
            (Some(_), _) => {}
            (None, Value::Table(_)) => {
                if let Some(near) = nearest(name, SECTIONS.iter().map(|section| section.name)) {
                    let text = format!("is a section for functions; did you mean [{near}]?");
                    findings.warn(name, node.source.clone(), text);
                }
            }
            (None, _) => {
                if let Some(section) = SECTIONS.iter().find(|section| section.knows(name)) {
                    let text = format!(
                        "is outside its section and has no effect: write it under [{}]",
                        section.name
                    );
                    findings.warn(name, node.source.clone(), text);
                }
            }
        }
    }
}

fn check_section(section: &Section, table: &Table, findings: &mut Findings) {
    for (setting, node) in table.iter().filter(|(_, node)| node.value != Value::Null) {
        let key = format!("{}.{setting}", section.name);
        let without_effect =
            |value: &Value| setting == "otel_exporter_type" && matches!(value, Value::Text(text) if text == "none");
        if section.inert.contains(&setting) {
            if !without_effect(&node.value) {
                findings.warn(key, node.source.clone(), "has no effect in this version");
            }
        } else if !section.settings.contains(&setting) {
            let text = match nearest(setting, section.names()) {
                Some(near) => format!("is unknown and has no effect: did you mean {}.{near}?", section.name),
                None => "is unknown and has no effect".to_owned(),
            };
            findings.warn(key, node.source.clone(), text);
        }
    }
}

/// The known name that a misspelled one was probably meant to be.
fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let slips = |candidate: &str| strsim::damerau_levenshtein(name, candidate);
    known
        .map(|candidate| (slips(candidate), candidate))
        .filter(|(slips, near)| *slips <= near.len() / 4 + 1)
        .min()
        .map(|(_, near)| near)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rstest::rstest;

    use super::super::document;
    use super::super::report::Source;
    use super::*;

    #[rstest]
    #[case::misspelled(
        "[server]\nlisten_prot = 1",
        "server.listen_prot (in x.toml) is unknown and has no effect: did you mean server.listen_port?"
    )]
    #[case::unknown(
        "[server]\nfavourite_colour = 1",
        "server.favourite_colour (in x.toml) is unknown and has no effect"
    )]
    #[case::of_the_original(
        "[server]\nmetrics_port = 1",
        "server.metrics_port (in x.toml) has no effect in this version"
    )]
    #[case::section(
        "[sever]\nx = 1",
        "sever (in x.toml) is a section for functions; did you mean [server]?"
    )]
    #[case::outside(
        "listen_port = 1",
        "listen_port (in x.toml) is outside its section and has no effect: write it under [server]"
    )]
    fn settings_without_effect_are_told(#[case] text: &str, #[case] expected: &str) {
        let mut findings = Findings::default();
        check_names(
            &document::toml(text, &Source::file(Path::new("x.toml"))).unwrap(),
            &mut findings,
        );
        let warnings: Vec<_> = findings.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(warnings, [expected]);
    }

    #[rstest]
    #[case("[server]\nlisten_port = 1\notel_exporter_type = 'none'")]
    #[case("[sales]\napi_url = 'x'")]
    fn settings_in_order_are_not(#[case] text: &str) {
        let mut findings = Findings::default();
        check_names(&document::toml(text, &Source::Unset).unwrap(), &mut findings);
        assert_eq!(findings.warnings, []);
    }
}
