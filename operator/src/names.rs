//! Names that are valid by construction, and the names of everything that belongs to a fleet.

use std::fmt;

/// The longest name of a fleet: the label `controller-revision-hash` holds it, '-' and 10 characters, in 63.
pub const MAX_FLEET_NAME: usize = 52;

/// The highest number of replicas, as in the CRD.
pub const MAX_REPLICAS: u16 = 1000;

/// The name of a fleet: a DNS label that starts with a letter and leaves room for the names made from it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FleetName(String);

/// The name of a namespace: a DNS label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespace(String);

/// The number of a replica in its fleet, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ordinal(pub u16);

impl FleetName {
    /// Takes a text that is such a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let valid = is_label(text)
            && text.len() <= MAX_FLEET_NAME
            && text.starts_with(|first: char| first.is_ascii_lowercase());
        valid.then(|| Self(text.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The `StatefulSet`.
    #[must_use]
    pub fn stateful_set(&self) -> String {
        self.0.clone()
    }

    /// The headless Service that gives the pods their names in DNS.
    #[must_use]
    pub fn headless_service(&self) -> String {
        format!("{}-replicas", self.0)
    }

    /// The pod of a replica, and the Service in front of that pod.
    #[must_use]
    pub fn replica(&self, ordinal: Ordinal) -> String {
        format!("{}-{ordinal}", self.0)
    }

    /// The `ConfigMap` with the server's configuration.
    #[must_use]
    pub fn config_map(&self) -> String {
        format!("{}-config", self.0)
    }

    /// The Secret with the fleet's CA, which no pod mounts.
    #[must_use]
    pub fn ca_secret(&self) -> String {
        format!("{}-ca", self.0)
    }

    /// The Secret with the certificate of the replicas.
    #[must_use]
    pub fn tls_secret(&self) -> String {
        format!("{}-tls", self.0)
    }

    /// The Secret with the token that callers present.
    #[must_use]
    pub fn token_secret(&self) -> String {
        format!("{}-token", self.0)
    }

    /// The Secret with the settings that came from Secrets, beside the `ConfigMap` of the same name. Users call theirs
    /// after the fleet, too: `sales-settings`.
    #[must_use]
    pub fn settings_secret(&self) -> String {
        format!("{}-config", self.0)
    }
}

impl Namespace {
    /// Takes a text that is such a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        is_label(text).then(|| Self(text.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FleetName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for Ordinal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Whether a text is a DNS label: 1 to 63 lower-case letters, digits and '-', not at the ends.
#[must_use]
pub fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// Whether a text is a DNS name: labels joined by '.', at most 253 characters.
#[must_use]
pub fn is_dns_name(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("sales", true)]
    #[case("a", true)]
    #[case("sales-1", true)]
    #[case("1sales", false)]
    #[case("-sales", false)]
    #[case("sales-", false)]
    #[case("Sales", false)]
    #[case("sales.eu", false)]
    #[case("", false)]
    fn fleets_have_names_that_services_can_have(#[case] text: &str, #[case] valid: bool) {
        assert_eq!(FleetName::parse(text).is_some(), valid);
    }

    #[test]
    fn every_name_made_from_the_longest_one_fits_into_a_label() {
        let name = FleetName::parse(&"a".repeat(MAX_FLEET_NAME)).unwrap();
        assert!(FleetName::parse(&"a".repeat(MAX_FLEET_NAME + 1)).is_none());
        for made in [
            name.headless_service(),
            name.replica(Ordinal(MAX_REPLICAS)),
            name.config_map(),
            name.ca_secret(),
            name.tls_secret(),
            name.token_secret(),
            name.settings_secret(),
            format!("{name}-0123456789"),
        ] {
            assert!(is_label(&made), "{made}");
        }
    }
}
