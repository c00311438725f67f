//! Settings, as files and as variables have them.

use std::collections::BTreeMap;

use crate::config::{self, Inputs};

/// A settings file. The first byte chooses its format.
pub fn document(bytes: &[u8]) {
    if let Some((format, text)) = bytes.split_first()
        && let Ok(text) = std::str::from_utf8(text)
    {
        config::fuzz_document(*format, text);
    }
}

/// Settings in the environment: `NAME=VALUE`, a line each, without the prefix.
pub fn variables(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let variables: BTreeMap<_, _> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (format!("GOODDATA_FLIGHT_{name}"), value.to_owned()))
        .collect();
    let inputs = Inputs {
        files: Vec::new(),
        variables,
        machine_name: "machine".to_owned(),
    };
    if let Err(mistakes) = config::load(&inputs) {
        assert!(!mistakes.to_string().is_empty(), "refused without a word");
    }
    let _ = config::survey(&inputs).map(|survey| format!("{survey:?}"));
}
