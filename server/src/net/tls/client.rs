//! Who a client is, from the certificate it showed.

use std::net::IpAddr;

use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

use super::{hex, name};
use crate::auth::{AlternativeName, ClientCertificate};

/// What a verified certificate says. `None` when it is beyond what can be read.
pub(super) fn describe(der: &CertificateDer<'_>) -> Option<ClientCertificate> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let subject = certificate.subject();
    let common_name = subject.iter_common_name().find_map(|name| name.as_str().ok());
    let names = certificate.subject_alternative_name().ok().flatten();
    let alternative_names = names
        .map(|names| names.value.general_names.as_slice())
        .unwrap_or_default();
    Some(ClientCertificate {
        subject: name::text(subject),
        common_name: common_name.map(str::to_owned),
        alternative_names: alternative_names.iter().filter_map(alternative_name).collect(),
        fingerprint: hex(&Sha256::digest(der)),
    })
}

fn alternative_name(name: &GeneralName<'_>) -> Option<AlternativeName> {
    Some(match name {
        GeneralName::DNSName(name) => AlternativeName::Dns((*name).to_owned()),
        GeneralName::URI(uri) => AlternativeName::Uri((*uri).to_owned()),
        GeneralName::RFC822Name(address) => AlternativeName::Email((*address).to_owned()),
        GeneralName::IPAddress(octets) => AlternativeName::Ip(ip(octets)?),
        _ => return None,
    })
}

fn ip(octets: &[u8]) -> Option<IpAddr> {
    match octets.len() {
        4 => <[u8; 4]>::try_from(octets).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(octets).ok().map(IpAddr::from),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    #[test]
    fn names_and_fingerprint_are_read() {
        let mut params = CertificateParams::new(vec!["reports.example.com".to_owned()]).unwrap();
        params.distinguished_name.remove(DnType::CommonName);
        params.distinguished_name.push(DnType::CountryName, "CZ");
        params
            .distinguished_name
            .push(DnType::OrganizationName, "Example, Inc.");
        params.distinguished_name.push(DnType::CommonName, "reports");
        let more = [
            SanType::URI("spiffe://cluster.local/sa/reports".try_into().unwrap()),
            SanType::Rfc822Name("ann@example.com".try_into().unwrap()),
            SanType::IpAddress("10.0.0.7".parse().unwrap()),
            SanType::IpAddress("::1".parse().unwrap()),
        ];
        params.subject_alt_names.extend(more);
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let described = describe(certificate.der()).unwrap();
        assert_eq!(described.subject, "CN=reports,O=Example\\, Inc.,C=CZ");
        assert_eq!(described.common_name.as_deref(), Some("reports"));
        let names: Vec<_> = described.alternative_names.iter().map(ToString::to_string).collect();
        let expected = [
            "reports.example.com",
            "spiffe://cluster.local/sa/reports",
            "ann@example.com",
            "10.0.0.7",
            "::1",
        ];
        assert_eq!(names, expected);
        assert_eq!(described.fingerprint.len(), 64);
    }

    #[test]
    fn what_is_no_certificate_has_no_name() {
        assert_eq!(describe(&CertificateDer::from(vec![0x30, 0x03, 1, 2, 3])), None);
        assert_eq!(describe(&CertificateDer::from(Vec::new())), None);
    }
}
