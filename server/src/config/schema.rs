//! The names of our settings: what is known, what is secret, and what a misspelled name was meant to be.

use super::report::Findings;
use super::sections::SECTIONS;
use super::setting::{Described, Section};
use super::tree::{Table, Value};

/// The setting of a full key, if it is ours.
fn find(key: &str) -> Option<&'static dyn Described> {
    let (section, setting) = key.split_once('.')?;
    let section = SECTIONS.iter().find(|known| known.name == section)?;
    section.settings().find(|known| known.name() == setting)
}

/// Whether the value under a key must not be shown: our settings know, those of functions are judged by their names.
pub(super) fn is_secret(key: &str, value: &Value) -> bool {
    const SPEAKING: [&str; 8] = [
        "token",
        "secret",
        "passw",
        "passphrase",
        "privatekey",
        "credential",
        "apikey",
        "accesskey",
    ];
    if let Some(setting) = find(key) {
        return setting.hides(value);
    }
    let letters: String = key.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).collect();
    SPEAKING.iter().any(|word| letters.contains(word))
}

/// Warns of settings that do nothing: unknown or misplaced.
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
    let written = table.iter().filter(|(_, node)| node.value != Value::Null);
    for (setting, node) in written.filter(|(setting, _)| !section.knows(setting)) {
        let text = match nearest(setting, section.names()) {
            Some(near) => format!("is unknown and has no effect: did you mean {}.{near}?", section.name),
            None => "is unknown and has no effect".to_owned(),
        };
        findings.warn(format!("{}.{setting}", section.name), node.source.clone(), text);
    }
}

/// The known name that a misspelled one was probably meant to be.
pub(super) fn nearest(name: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
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
    use super::super::source::Source;
    use super::*;

    #[rstest]
    #[case::misspelled(
        "[server]\nlisten_prot = 1",
        "server.listen_prot (in x.toml:2) is unknown and has no effect: did you mean server.listen_port?"
    )]
    #[case::unknown(
        "[server]\nfavourite_colour = 1",
        "server.favourite_colour (in x.toml:2) is unknown and has no effect"
    )]
    #[case::section(
        "[sever]\nx = 1",
        "sever (in x.toml:1) is a section for functions; did you mean [server]?"
    )]
    #[case::outside(
        "listen_port = 1",
        "listen_port (in x.toml:1) is outside its section and has no effect: write it under [server]"
    )]
    fn settings_without_effect_are_told(#[case] text: &str, #[case] expected: &str) {
        let mut findings = Findings::new(is_secret);
        check_names(
            &document::toml(text, &Source::file(Path::new("x.toml"))).unwrap(),
            &mut findings,
        );
        let warnings: Vec<_> = findings.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(warnings, [expected]);
    }

    #[rstest]
    #[case("[server]\nlisten_port = 1\notel_exporter_type = 'none'\nmalloc_trim_interval_sec = 30")]
    #[case("[sales]\napi_url = 'x'")]
    fn settings_in_order_are_not(#[case] text: &str) {
        let mut findings = Findings::new(is_secret);
        check_names(&document::toml(text, &Source::Unset).unwrap(), &mut findings);
        assert_eq!(findings.warnings, []);
    }
}
