//! The part of RSQL that the API documents: comparisons of a property, all of which must hold.

use std::str::FromStr;

use super::resource::Resource;

/// A parsed `filter` parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter(Vec<Comparison>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Comparison {
    property: String,
    operator: Operator,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    In,
    Out,
    /// `*` stands for anything.
    Like,
    Contains,
    ContainsIgnoringCase,
}

/// Longer symbols before those that they start with.
const OPERATORS: &[(&str, Operator)] = &[
    ("=containsic=", Operator::ContainsIgnoringCase),
    ("=contains=", Operator::Contains),
    ("=like=", Operator::Like),
    ("=out=", Operator::Out),
    ("=in=", Operator::In),
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
];

impl Filter {
    pub(crate) fn matches(&self, resource: &Resource) -> bool {
        self.0.iter().all(|comparison| comparison.matches(resource))
    }
}

impl Comparison {
    fn matches(&self, resource: &Resource) -> bool {
        let value = resource.property(&self.property);
        let first = self.values.first().map_or("", String::as_str);
        match self.operator {
            Operator::Equal | Operator::In => value.is_some_and(|value| self.values.iter().any(|v| v == value)),
            Operator::NotEqual | Operator::Out => value.is_none_or(|value| self.values.iter().all(|v| v != value)),
            Operator::Like => value.is_some_and(|value| is_like(first, value)),
            Operator::Contains => value.is_some_and(|value| value.contains(first)),
            Operator::ContainsIgnoringCase => {
                value.is_some_and(|value| value.to_lowercase().contains(&first.to_lowercase()))
            }
        }
    }
}

fn is_like(pattern: &str, value: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == value,
        Some((start, rest)) => value.strip_prefix(start).is_some_and(|tail| {
            tail.char_indices()
                .map(|(at, _)| &tail[at..])
                .chain([""])
                .any(|tail| is_like(rest, tail))
        }),
    }
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        split_outside_quotes(text)
            .into_iter()
            .map(parse_comparison)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn parse_comparison(text: &str) -> Result<Comparison, String> {
    let text = text.trim();
    let found = OPERATORS
        .iter()
        .filter_map(|(symbol, operator)| Some((text.find(symbol)?, symbol, *operator)));
    let Some((at, symbol, operator)) = found.min_by_key(|(at, ..)| *at) else {
        return Err(format!("Parameter 'filter' is not valid: '{text}' is no comparison."));
    };
    let argument = text[at + symbol.len()..].trim();
    let values = match argument.strip_prefix('(').and_then(|list| list.strip_suffix(')')) {
        Some(list) => list.split(',').map(unquote).collect(),
        None => vec![unquote(argument)],
    };
    Ok(Comparison {
        property: text[..at].trim().to_owned(),
        operator,
        values,
    })
}

/// Splits at `;` and ` and ` where these are not inside a quoted value.
fn split_outside_quotes(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut quote) = (0, None);
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (None, '\'' | '"') => quote = Some(character),
            (None, ';') => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            (None, ' ') if at >= start && text[at..].starts_with(" and ") => {
                parts.push(&text[start..at]);
                start = at + " and ".len();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn unquote(text: &str) -> String {
    let text = text.trim();
    ['\'', '"']
        .iter()
        .find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(text)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn matches(filter: &str) -> bool {
        let resource = Resource {
            kind: "dataSource",
            id: "sales".to_owned(),
            attributes: json!({ "name": "Sales; EMEA", "type": "FLEXCONNECT" })
                .as_object()
                .unwrap()
                .clone(),
            permissions: &[],
            collection: String::new(),
        };
        filter.parse::<Filter>().unwrap().matches(&resource)
    }

    #[test]
    fn compares() {
        for holds in [
            "type==FLEXCONNECT",
            "id=='sales';type==FLEXCONNECT",
            "id==sales and name=='Sales; EMEA'",
            "id!=other",
            "id=in=(a,sales)",
            "id=out=(a,b)",
            "name=like='Sal*EMEA'",
            "name=containsic=emea",
            "schema!=x",
        ] {
            assert!(matches(holds), "{holds}");
        }
        for fails in [
            "type==POSTGRESQL",
            "id==sales;name==x",
            "name=like=*APAC",
            "name=contains=emea",
            "schema==x",
        ] {
            assert!(!matches(fails), "{fails}");
        }
    }

    #[test]
    fn refuses_what_is_no_comparison() {
        assert!(
            "name"
                .parse::<Filter>()
                .unwrap_err()
                .contains("'name' is no comparison")
        );
    }
}
