//! The fleet's CA and the certificate of its replicas, kept while they are good and made anew before they are not.
//!
//! A certificate that lacks a name is *extended*: same key, same end, more names; running replicas may keep the old
//! one. A certificate that is worn out is *renewed*: new key, new end. The replicas read both while they run.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData as _, SanType, SerialNumber,
};
use thiserror::Error;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::parse_x509_pem;

use super::{Secrets, metadata, text_of};
use crate::digest::sha256;
use crate::exposure::certificate_hosts;
use crate::fleet::{Tls, ValidatedFleet};

/// The certificate of the replicas.
pub const CERTIFICATE_KEY: &str = "tls.crt";
/// Its key.
pub const PRIVATE_KEY: &str = "tls.key";
/// The certificate of the CA.
pub const CA_KEY: &str = "ca.crt";
/// The key of the CA, in its own Secret only.
const CA_PRIVATE_KEY: &str = "ca.key";

const DAY: SignedDuration = SignedDuration::from_hours(24);
const CA_DAYS: i32 = 3650;
const LEAF_DAYS: i32 = 365;
/// Clocks differ: a certificate is valid a little before it was made.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_hours(1);

/// Why a key or certificate could not be made.
#[derive(Debug, Error)]
#[error("failed to make the {what} of the fleet")]
pub struct TlsError {
    what: &'static str,
    #[source]
    source: rcgen::Error,
}

/// A key and its certificate, both PEM.
struct Pair {
    certificate: String,
    key: KeyPair,
    not_after: Timestamp,
}

/// A CA and a certificate from it.
pub(super) struct Chain {
    ca: Pair,
    leaf: Pair,
}

/// The chain of a fleet, with as much of the kept one as is good; None without TLS.
pub(super) fn chain(fleet: &ValidatedFleet, kept: &Secrets, now: Timestamp) -> Result<Option<Chain>, TlsError> {
    match fleet.tls {
        Tls::Disabled => Ok(None),
        Tls::SelfSigned => {
            // Certificates know whole seconds: what is made now has to equal what is read back later.
            let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
            let ca = match kept.ca.as_ref().and_then(|secret| kept_ca(secret, now)) {
                Some(ca) => ca,
                None => make_ca(fleet, now).map_err(|source| TlsError { what: "CA", source })?,
            };
            let hosts = certificate_hosts(fleet);
            let leaf = leaf(fleet, &ca, kept.tls.as_ref(), &hosts, now).map_err(|source| TlsError {
                what: "certificate",
                source,
            })?;
            Ok(Some(Chain { ca, leaf }))
        }
    }
}

impl Chain {
    /// What changes when the replicas have to start anew: another CA. A new certificate they read while they run.
    pub(super) fn identity(&self) -> String {
        sha256([self.ca.certificate.as_bytes()])
    }

    /// The Secret of the CA, which no pod mounts, and the one of the replicas.
    pub(super) fn into_secrets(self, fleet: &ValidatedFleet) -> (Secret, Secret) {
        let Self { ca, leaf } = self;
        let ca_data = [
            (CA_KEY, ca.certificate.clone()),
            (CA_PRIVATE_KEY, ca.key.serialize_pem()),
        ];
        let tls_data = [
            (CERTIFICATE_KEY, leaf.certificate),
            (PRIVATE_KEY, leaf.key.serialize_pem()),
            (CA_KEY, ca.certificate),
        ];
        (
            secret(fleet, fleet.name.ca_secret(), "Opaque", &ca_data),
            secret(fleet, fleet.name.tls_secret(), "kubernetes.io/tls", &tls_data),
        )
    }
}

fn secret(fleet: &ValidatedFleet, name: String, kind: &str, data: &[(&str, String)]) -> Secret {
    let entry = |(key, text): &(&str, String)| ((*key).to_owned(), ByteString(text.clone().into_bytes()));
    Secret {
        metadata: metadata(fleet, name),
        type_: Some(kind.to_owned()),
        data: Some(data.iter().map(entry).collect::<BTreeMap<_, _>>()),
        ..Secret::default()
    }
}

/// The kept CA, unless it is damaged, or would end before a certificate made now.
fn kept_ca(secret: &Secret, now: Timestamp) -> Option<Pair> {
    let pair = read_pair(secret, CA_KEY, CA_PRIVATE_KEY)?;
    let is_ca = with_certificate(&pair.certificate, |certificate| certificate.is_ca())?;
    (is_ca && pair.not_after > days_after(now, LEAF_DAYS)).then_some(pair)
}

/// The kept certificate while it is good, else an extended or a renewed one.
fn leaf(
    fleet: &ValidatedFleet,
    ca: &Pair,
    kept: Option<&Secret>,
    hosts: &BTreeSet<String>,
    now: Timestamp,
) -> Result<Pair, rcgen::Error> {
    let kept = kept
        .and_then(|secret| read_pair(secret, CERTIFICATE_KEY, PRIVATE_KEY))
        .filter(|pair| pair.not_after > days_after(now, LEAF_DAYS / 3) && is_signed_by(pair, ca));
    match kept {
        Some(pair) if read_names(&pair.certificate).is_superset(hosts) => Ok(pair),
        Some(Pair { key, not_after, .. }) => make_leaf(fleet, ca, key, hosts, now, not_after),
        None => make_leaf(fleet, ca, KeyPair::generate()?, hosts, now, days_after(now, LEAF_DAYS)),
    }
}

fn make_ca(fleet: &ValidatedFleet, now: Timestamp) -> Result<Pair, rcgen::Error> {
    let key = KeyPair::generate()?;
    let not_after = days_after(now, CA_DAYS);
    let mut params = params(fleet, &format!("{} CA", fleet.name), now, not_after);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key)?.pem();
    Ok(Pair {
        certificate,
        key,
        not_after,
    })
}

fn make_leaf(
    fleet: &ValidatedFleet,
    ca: &Pair,
    key: KeyPair,
    hosts: &BTreeSet<String>,
    now: Timestamp,
    not_after: Timestamp,
) -> Result<Pair, rcgen::Error> {
    let mut params = params(fleet, fleet.name.as_str(), now, not_after);
    params.subject_alt_names = hosts.iter().map(|host| san(host)).collect::<Result<_, _>>()?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let issuer = Issuer::from_ca_cert_pem(&ca.certificate, &ca.key)?;
    let certificate = params.signed_by(&key, &issuer)?.pem();
    Ok(Pair {
        certificate,
        key,
        not_after,
    })
}

fn params(fleet: &ValidatedFleet, name: &str, now: Timestamp, not_after: Timestamp) -> CertificateParams {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationName, "flexconnect.dev");
    subject.push(DnType::OrganizationalUnitName, fleet.namespace.as_str());
    subject.push(DnType::CommonName, name);
    let mut serial = rand::random::<[u8; 16]>();
    // A serial number is positive, and its first byte not zero.
    serial[0] = serial[0] & 0x7f | 0x40;
    let mut params = CertificateParams::default();
    params.distinguished_name = subject;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    let time = |at: Timestamp| {
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(at.as_second().try_into().unwrap_or_default())
    };
    params.not_before = time(now - CLOCK_SKEW);
    params.not_after = time(not_after);
    params
}

fn san(host: &str) -> Result<SanType, rcgen::Error> {
    match host.parse::<IpAddr>() {
        Ok(address) => Ok(SanType::IpAddress(address)),
        Err(_) => Ok(SanType::DnsName(host.try_into()?)),
    }
}

/// A pair that fits together; None for anything damaged.
fn read_pair(secret: &Secret, certificate: &str, key: &str) -> Option<Pair> {
    let certificate = text_of(secret, certificate)?.to_owned();
    let key = KeyPair::from_pem(text_of(secret, key)?).ok()?;
    let (public_key, not_after) = with_certificate(&certificate, |certificate| {
        let public_key = certificate.public_key().subject_public_key.data.to_vec();
        (public_key, certificate.validity().not_after.timestamp())
    })?;
    let not_after = Timestamp::from_second(not_after).ok()?;
    (public_key == key.der_bytes()).then_some(Pair {
        certificate,
        key,
        not_after,
    })
}

fn is_signed_by(leaf: &Pair, ca: &Pair) -> bool {
    let verified = with_certificate(&ca.certificate, |ca| {
        with_certificate(&leaf.certificate, |leaf| {
            leaf.verify_signature(Some(ca.public_key())).is_ok()
        })
    });
    verified.flatten().unwrap_or(false)
}

/// The names that a certificate covers, as text.
pub(super) fn read_names(certificate: &str) -> BTreeSet<String> {
    let names = with_certificate(certificate, |certificate| {
        let extension = certificate.subject_alternative_name().ok().flatten();
        let names = extension.iter().flat_map(|extension| &extension.value.general_names);
        names.filter_map(text_of_name).collect()
    });
    names.unwrap_or_default()
}

fn text_of_name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from).ok();
            v4.or_else(|| <[u8; 16]>::try_from(*bytes).map(IpAddr::from).ok())
                .map(|address| address.to_string())
        }
        _ => None,
    }
}

fn with_certificate<T>(pem: &str, read: impl FnOnce(&X509Certificate<'_>) -> T) -> Option<T> {
    let (_, pem) = parse_x509_pem(pem.as_bytes()).ok()?;
    let certificate = pem.parse_x509().ok()?;
    Some(read(&certificate))
}

fn days_after(now: Timestamp, days: i32) -> Timestamp {
    now.saturating_add(DAY * days).unwrap_or(Timestamp::MAX)
}
