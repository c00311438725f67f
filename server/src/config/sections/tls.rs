//! TLS of the Flight port. Combinations that would be less safe than they look are refused.

use std::path::PathBuf;

use secrecy::SecretString;

use crate::config::kinds::{Flag, Text};
use crate::config::reader::{Noted, Reader};
use crate::config::setting::{Is, Kind, Otherwise, Refusal, Setting, settings};
use crate::config::source::Source;
use crate::config::tree::Value;

settings! {
    /// Serve TLS (1.2 and 1.3) instead of plain text; locations begin with `grpc+tls://`.
    USE_TLS: Flag, Is<bool> = "use_tls", Flag, Is(false);
    /// Ask clients for a certificate that `tls_root_certificate` signed, and refuse those without.
    USE_MTLS: Flag, Is<bool> = "use_mtls", Flag, Is(false);
    /// The server's certificate and its intermediates. A file is followed while the server runs: a new pair is used for
    /// new connections, one that does not fit together is not, and the log says why.
    CERTIFICATE: PemMaterial, Otherwise = "tls_certificate", PemMaterial, Otherwise("none; needed with `use_tls`");
    /// The private key of the certificate.
    PRIVATE_KEY: PemMaterial, Otherwise = "tls_private_key", PemMaterial, Otherwise("none; needed with `use_tls`");
    /// The certificate authorities of clients.
    ROOT_CERTIFICATE: PemMaterial, Otherwise = "tls_root_certificate", PemMaterial,
        Otherwise("none; needed with `use_mtls`");
}

/// TLS of the Flight port.
#[derive(Clone, Debug)]
pub struct Tls {
    /// `tls_certificate`: the server's certificate, then its intermediates.
    pub certificate: Pem,
    /// `tls_private_key`
    pub private_key: Pem,
    /// `tls_root_certificate`, when `use_mtls` is true: clients must show a certificate that it signed.
    pub client_authority: Option<Pem>,
}

/// PEM text and where it was configured, for errors that are found when it is read.
#[derive(Clone, Debug)]
pub struct Pem {
    /// The setting's key.
    pub key: &'static str,
    /// Where the setting was written.
    pub source: Source,
    /// The text, or where it is.
    pub text: PemText,
}

/// PEM in the setting itself, or `@path`.
#[derive(Clone, Debug)]
pub enum PemText {
    /// The text.
    Inline(SecretString),
    /// A file, relative to the working directory.
    File(PathBuf),
}

/// PEM text, or `@path`.
struct PemMaterial;

impl Kind for PemMaterial {
    type Value = PemText;

    fn read(&self, setting: &str, value: &Value) -> Result<PemText, Refusal> {
        const WHAT: &str = "PEM text, or '@' and the path of a file with it";
        let text = Text { what: WHAT }.read(setting, value)?;
        match text.strip_prefix('@') {
            Some("") => Err(Refusal::new("has no path after '@'", "write '@/path/of/the/file'")),
            Some(path) => Ok(PemText::File(path.into())),
            None if text.contains("-----BEGIN") => Ok(PemText::Inline(SecretString::from(text))),
            None => Err(Refusal::new(
                format!("is neither {WHAT}").replace(", or", " nor"),
                "put '@' before a path: '@/path/of/the/file'",
            )),
        }
    }

    fn write(&self, value: &PemText) -> String {
        match value {
            PemText::Inline(_) => "PEM text".to_owned(),
            PemText::File(path) => format!("@{}", path.display()),
        }
    }

    fn summary(&self) -> String {
        "PEM text, or `@` and the path of a file with it".to_owned()
    }

    /// A path is no secret; a key in the setting is.
    fn hides(&self, value: &Value) -> bool {
        !matches!(value, Value::Text(text) if text.starts_with('@'))
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Option<Tls>, Noted> {
    let (encrypted, mutual) = (reader.read(&USE_TLS), reader.read(&USE_MTLS));
    let certificate = pem(reader, &CERTIFICATE, "server.tls_certificate");
    let private_key = pem(reader, &PRIVATE_KEY, "server.tls_private_key");
    let root = pem(reader, &ROOT_CERTIFICATE, "server.tls_root_certificate");
    let (encrypted, mutual) = (encrypted?, mutual?);
    if !encrypted {
        if mutual {
            let problem = "clients cannot be asked for certificates on a plain-text port";
            return Err(reader.refuse(USE_MTLS.name, problem, "set use_tls = true, or use_mtls = false"));
        }
        if certificate?.is_some() {
            reader.warn(CERTIFICATE.name, "has no effect while use_tls is false");
        }
        return Ok(None);
    }
    let certificate = required(reader, certificate, CERTIFICATE.name, "use_tls is true");
    let private_key = required(reader, private_key, PRIVATE_KEY.name, "use_tls is true");
    let client_authority = if mutual {
        required(reader, root, ROOT_CERTIFICATE.name, "use_mtls is true").map(Some)
    } else {
        root.map(|root| {
            if root.is_some() {
                reader.warn(ROOT_CERTIFICATE.name, "has no effect while use_mtls is false");
            }
            None
        })
    };
    Ok(Some(Tls {
        certificate: certificate?,
        private_key: private_key?,
        client_authority: client_authority?,
    }))
}

fn pem(
    reader: &mut Reader<'_>,
    setting: &Setting<PemMaterial, Otherwise>,
    key: &'static str,
) -> Result<Option<Pem>, Noted> {
    let text = reader.read(setting)?;
    let source = reader.source(setting.name);
    Ok(text.map(|text| Pem { key, source, text }))
}

fn required(
    reader: &mut Reader<'_>,
    pem: Result<Option<Pem>, Noted>,
    setting: &str,
    because: &str,
) -> Result<Pem, Noted> {
    pem?.ok_or_else(|| {
        let fix = format!("set {setting} to '@/path/of/the/file' or to the PEM text");
        reader.refuse(setting, format!("is missing although {because}"), fix)
    })
}
