use std::fs;

use rcgen::{CertifiedKey as Generated, generate_simple_self_signed};

use super::*;
use crate::config::{Pem, PemText, Source};

fn generated() -> (String, String) {
    let Generated { cert, signing_key } = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    (cert.pem(), signing_key.serialize_pem())
}

fn pem(key: &'static str, text: &str) -> Pem {
    Pem {
        key,
        source: Source::Unset,
        text: PemText::Inline(text.into()),
    }
}

fn tls(certificate: &str, key: &str, authority: Option<&str>) -> Tls {
    Tls {
        certificate: pem("server.tls_certificate", certificate),
        private_key: pem("server.tls_private_key", key),
        client_authority: authority.map(|text| pem("server.tls_root_certificate", text)),
    }
}

fn material(tls: &Tls) -> Result<Material, TlsError> {
    Material::new(tls, &Contents::read(tls))
}

fn refusal(tls: &Tls) -> String {
    material(tls).err().unwrap().to_string()
}

#[test]
fn a_pair_works_with_and_without_client_authority() {
    let (certificate, key) = generated();
    assert!(material(&tls(&certificate, &key, None)).is_ok());
    assert!(material(&tls(&certificate, &key, Some(&certificate))).is_ok());
}

#[test]
fn files_are_read() {
    let (certificate, key) = generated();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tls.crt"), &certificate).unwrap();
    let mut tls = tls("", &key, None);
    tls.certificate.text = PemText::File(folder.path().join("tls.crt"));
    assert!(material(&tls).is_ok());
    tls.certificate.text = PemText::File(folder.path().join("absent.crt"));
    let refusal = refusal(&tls);
    assert!(
        refusal.starts_with("server.tls_certificate (") && refusal.contains("absent.crt"),
        "{refusal}"
    );
    assert!(refusal.contains("the file cannot be read"), "{refusal}");
}

#[test]
fn a_key_of_another_certificate_is_told() {
    let ((certificate, _), (_, key)) = (generated(), generated());
    let refusal = refusal(&tls(&certificate, &key, None));
    assert!(
        refusal.starts_with("server.tls_private_key (text not set): the key does not belong"),
        "{refusal}"
    );
}

#[test]
fn texts_without_what_they_should_hold_are_told() {
    let (certificate, key) = generated();
    assert!(refusal(&tls(&key, &key, None)).contains("there is no certificate in it"));
    assert!(refusal(&tls(&certificate, &certificate, None)).contains("there is no private key in it"));
    assert!(refusal(&tls(&certificate, &key, Some(""))).starts_with("server.tls_root_certificate "));
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(refusal(&tls(broken, &key, None)).contains("the certificate cannot be used"));
}
