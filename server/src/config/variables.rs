//! Settings in the environment: `GOODDATA_FLIGHT_SECTION__KEY`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;

use super::casts;
use super::report::{Findings, Mistake, Mistakes};
use super::sections::SECTIONS;
use super::source::Source;
use super::tree::{MAX_PARTS, Table, Value};

const PREFIX: &str = "GOODDATA_FLIGHT_";

/// The prefix that the original's library also reads.
const FOREIGN_PREFIX: &str = "DYNACONF_";

/// The environment as texts. Variables of others may hold any bytes and are left out then; ours may not.
pub(super) fn decode(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<BTreeMap<String, String>, Mistakes> {
    let mut texts = BTreeMap::new();
    let mut mistakes = Vec::new();
    for (name, value) in variables {
        match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => drop(texts.insert(name, value)),
            (Ok(name), Err(_)) if name.starts_with(PREFIX) => mistakes.push(Mistake {
                key: String::new(),
                value: None,
                problem: format!("the variable {name} is not UTF-8 text"),
                source: Source::Variable(Arc::from(name)),
                fix: "write it in UTF-8".to_owned(),
            }),
            (Ok(_) | Err(_), Ok(_) | Err(_)) => {}
        }
    }
    if mistakes.is_empty() {
        Ok(texts)
    } else {
        Err(Mistakes(mistakes))
    }
}

/// The layer of the environment. Names are in order, so a whole section (`GOODDATA_FLIGHT_SERVER='{…}'`) comes before
/// the keys in it.
pub(super) fn load(variables: &BTreeMap<String, String>, findings: &mut Findings) -> Table {
    let mut layer = Table::default();
    for (name, text) in variables {
        let Some(rest) = name.strip_prefix(PREFIX) else {
            if let Some(setting) = name.strip_prefix(FOREIGN_PREFIX) {
                findings.warn(name, Source::Unset, format!("is not read: write {PREFIX}{setting}"));
            }
            continue;
        };
        let source = Source::Variable(Arc::from(name.as_str()));
        let lower = rest.to_lowercase();
        let path: Vec<&str> = lower.split("__").collect();
        if path.len() > MAX_PARTS {
            findings.warn(
                name,
                Source::Unset,
                format!("is ignored: it has more than {MAX_PARTS} parts"),
            );
            continue;
        }
        if path
            .iter()
            .any(|part| part.is_empty() || part.starts_with('_') || part.ends_with('_'))
        {
            let text = "is ignored: write GOODDATA_FLIGHT_, the section, two underscores, the setting";
            findings.warn(name, Source::Unset, text);
            continue;
        }
        let node = casts::from_variable(text, &source);
        if let ([setting], false) = (path.as_slice(), matches!(node.value, Value::Table(_)))
            && let Some(meant) = with_two_underscores(setting)
        {
            findings.warn(
                name,
                Source::Unset,
                format!("is no setting of the server: did you mean {PREFIX}{meant}?"),
            );
        }
        layer.set_path(&path, node);
    }
    layer
}

/// `SERVER__LISTEN_PORT` for `server_listen_port`.
fn with_two_underscores(name: &str) -> Option<String> {
    SECTIONS.iter().find_map(|section| {
        let setting = name.strip_prefix(section.name)?.strip_prefix('_')?;
        section
            .knows(setting)
            .then(|| format!("{}__{}", section.name, setting).to_uppercase())
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn layer(variables: &[(&str, &str)]) -> (String, Vec<String>) {
        let variables = variables
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        let mut findings = Findings::new(|_, _| false);
        let table = load(&variables, &mut findings);
        let warnings = findings.warnings.iter().map(ToString::to_string).collect();
        (serde_json::to_string(&table.to_json()).unwrap(), warnings)
    }

    #[rstest]
    #[case::setting("GOODDATA_FLIGHT_SERVER__LISTEN_PORT", "9", r#"{"server":{"listen_port":9}}"#)]
    #[case::any_case("GOODDATA_FLIGHT_server__Listen_Port", "9", r#"{"server":{"listen_port":9}}"#)]
    #[case::deeper("GOODDATA_FLIGHT_A__B__C", "x", r#"{"a":{"b":{"c":"x"}}}"#)]
    #[case::section("GOODDATA_FLIGHT_SERVER", "{listen_port=9}", r#"{"server":{"listen_port":9}}"#)]
    #[case::prefix_in_lower_case("gooddata_flight_A__B", "9", "{}")]
    fn names(#[case] name: &str, #[case] text: &str, #[case] expected: &str) {
        assert_eq!(layer(&[(name, text)]), (expected.to_owned(), vec![]));
    }

    #[test]
    fn keys_win_over_the_section_as_a_whole() {
        let (table, _) = layer(&[("GOODDATA_FLIGHT_A", "{b=1, c=1}"), ("GOODDATA_FLIGHT_A__B", "2")]);
        assert_eq!(table, r#"{"a":{"b":2,"c":1}}"#);
    }

    #[rstest]
    #[case("GOODDATA_FLIGHT__SERVER__X")]
    #[case("GOODDATA_FLIGHT_SERVER___X")]
    #[case("GOODDATA_FLIGHT_SERVER__")]
    #[case("GOODDATA_FLIGHT_")]
    #[case(&format!("GOODDATA_FLIGHT_{}A", "A__".repeat(100_000)))]
    fn misspelled_names_are_told(#[case] name: &str) {
        let (table, warnings) = layer(&[(name, "1")]);
        assert_eq!((table.as_str(), warnings.len()), ("{}", 1));
    }

    #[test]
    fn the_librarys_own_prefix_is_told() {
        let (table, warnings) = layer(&[("DYNACONF_SERVER__LISTEN_PORT", "9")]);
        let expected = "DYNACONF_SERVER__LISTEN_PORT is not read: write GOODDATA_FLIGHT_SERVER__LISTEN_PORT";
        assert_eq!(
            (table.as_str(), warnings.as_slice()),
            ("{}", [expected.to_owned()].as_slice())
        );
    }

    #[test]
    fn only_our_own_variables_must_be_text() {
        let bytes = || std::os::unix::ffi::OsStringExt::from_vec(vec![0xff]);
        let foreign = decode([("OTHER".into(), bytes()), ("HOME".into(), "/".into())].into_iter()).unwrap();
        assert_eq!(foreign, BTreeMap::from([("HOME".to_owned(), "/".to_owned())]));
        let ours = decode([("GOODDATA_FLIGHT_A__B".into(), bytes())].into_iter()).unwrap_err();
        assert!(
            ours.to_string()
                .contains("the variable GOODDATA_FLIGHT_A__B is not UTF-8 text"),
            "{ours}"
        );
    }

    #[test]
    fn a_single_underscore_is_told() {
        let (_, warnings) = layer(&[("GOODDATA_FLIGHT_SERVER_LISTEN_PORT", "1")]);
        assert!(
            warnings[0].ends_with("did you mean GOODDATA_FLIGHT_SERVER__LISTEN_PORT?"),
            "{warnings:?}"
        );
    }
}
