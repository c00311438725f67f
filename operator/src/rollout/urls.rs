//! Which replicas the URL of a data source names. Pure.

use std::collections::BTreeSet;

use crate::exposure;
use crate::fleet::ValidatedFleet;
use crate::names::Ordinal;

/// The separator of the URLs in a data source.
pub const URL_SEPARATOR: char = ';';

/// Those of the first `count` replicas that are named. GoodData may spell a URL in its own way.
#[must_use]
pub fn names(fleet: &ValidatedFleet, url: &str, count: u16) -> BTreeSet<Ordinal> {
    let named: BTreeSet<_> = url.split(URL_SEPARATOR).filter_map(place).collect();
    let is_named = |ordinal: &Ordinal| {
        let url = exposure::endpoint(fleet, *ordinal).url();
        place(&url).is_some_and(|place| named.contains(&place))
    };
    (0..count).map(Ordinal).filter(is_named).collect()
}

/// Host and port.
fn place(url: &str) -> Option<String> {
    let (_, rest) = url.trim().split_once("://")?;
    let place = rest.split(['/', '?', '#']).next()?;
    (!place.is_empty()).then(|| place.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use flexconnect_crds::Manifest;

    use super::*;
    use crate::dereference::References;
    use crate::validate::validate;

    #[test]
    fn spelling_does_not_matter() {
        let text = "{apiVersion: flexconnect.dev/v1alpha1, kind: FlexConnectServer, \
                    metadata: {name: a, namespace: b}, spec: {replicas: 3, server: {image: c}}}";
        let fleet = validate(&Manifest::read(text).unwrap().server, &References::default()).unwrap();
        let ordinals = |url: &str| {
            names(&fleet, url, 4)
                .into_iter()
                .map(|ordinal| ordinal.0)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            ordinals("grpc+tls://a-0.b.svc:17001;grpc+tls://a-3.b.svc:17001"),
            [0, 3]
        );
        assert_eq!(ordinals("GRPC+TLS://A-2.b.SVC:17001/ ; grpc+tls://x:1"), [2]);
        assert_eq!(ordinals("grpc+tls://a-10.b.svc:17001"), [] as [u16; 0]);
        assert_eq!(ordinals(""), [] as [u16; 0]);
    }
}
