//! Distinguished names as text that cannot be mistaken for another name (RFC 4514).

use std::fmt::Write as _;

use x509_parser::der_parser::oid::Oid;
use x509_parser::oid_registry::{
    OID_DOMAIN_COMPONENT, OID_USERID, OID_X509_COMMON_NAME, OID_X509_COUNTRY_NAME, OID_X509_LOCALITY_NAME,
    OID_X509_ORGANIZATION_NAME, OID_X509_ORGANIZATIONAL_UNIT, OID_X509_STATE_OR_PROVINCE_NAME, OID_X509_STREET_ADDRESS,
};
use x509_parser::x509::X509Name;

use super::hex;

/// The name, its most particular part first, as in `CN=reports,O=Example\, Inc.,C=CZ`; empty for a name without parts.
pub(super) fn text(name: &X509Name<'_>) -> String {
    let mut parts: Vec<String> = name
        .iter_rdn()
        .map(|part| {
            let attributes = part.iter().map(|attribute| {
                let value = match attribute.as_str() {
                    Ok(value) => escape(value),
                    Err(_) => format!("#{}", hex(attribute.as_slice())),
                };
                format!("{}={value}", keyword(attribute.attr_type()))
            });
            attributes.collect::<Vec<_>>().join("+")
        })
        .collect();
    parts.reverse();
    parts.join(",")
}

fn keyword(oid: &Oid<'_>) -> String {
    let known = [
        (&OID_X509_COMMON_NAME, "CN"),
        (&OID_X509_LOCALITY_NAME, "L"),
        (&OID_X509_STATE_OR_PROVINCE_NAME, "ST"),
        (&OID_X509_ORGANIZATION_NAME, "O"),
        (&OID_X509_ORGANIZATIONAL_UNIT, "OU"),
        (&OID_X509_COUNTRY_NAME, "C"),
        (&OID_X509_STREET_ADDRESS, "STREET"),
        (&OID_DOMAIN_COMPONENT, "DC"),
        (&OID_USERID, "UID"),
    ];
    let keyword = known.into_iter().find(|(known, _)| *known == oid);
    keyword.map_or_else(|| oid.to_id_string(), |(_, keyword)| keyword.to_owned())
}

fn escape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (index, character) in value.chars().enumerate() {
        match character {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=' => text.extend(['\\', character]),
            ' ' if index == 0 || index == last => text.push_str("\\ "),
            '#' if index == 0 => text.push_str("\\#"),
            character if character.is_control() => {
                let mut bytes = [0; 4];
                for byte in character.encode_utf8(&mut bytes).bytes() {
                    let _ = write!(text, "\\{byte:02x}");
                }
            }
            character => text.push(character),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("reports", "reports")]
    #[case("Example, Inc.", "Example\\, Inc.")]
    #[case("x,CN=admin", "x\\,CN\\=admin")]
    #[case(" a b ", "\\ a b\\ ")]
    #[case("#1 #2", "\\#1 #2")]
    #[case("a\nb", "a\\0ab")]
    #[case("Žofie", "Žofie")]
    #[case("", "")]
    fn values_do_not_end_early(#[case] value: &str, #[case] expected: &str) {
        assert_eq!(escape(value), expected);
    }
}
