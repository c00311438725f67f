//! A hash of what is sent to GoodData, by which a later pass knows whether a secret or a URL changed since.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::ExposeSecret as _;
use sha2::Sha256;

use super::data_source::Attributes;
use super::{Connection, Desired};

/// HMAC-SHA-256 over the whole document, in base64. It ends in the object's status, which more people can read than
/// Secrets, so its key is the API token: without that nobody can try out guesses of a weak Flight token. A new API
/// token changes the hash, which costs one superfluous write.
pub(super) fn fingerprint(desired: &Desired, api_token: &str) -> String {
    let document = Attributes::all(desired).document(&desired.id);
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(api_token.as_bytes()) else {
        unreachable!("HMAC takes keys of every length")
    };
    mac.update(document.to_string().as_bytes());
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

/// What [`Record::hash`](super::Record::hash) becomes when this is registered: another one means that something changed.
#[must_use]
pub fn hash(desired: &Desired, connection: &Connection) -> String {
    fingerprint(desired, connection.token.expose_secret())
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::desired;
    use super::*;

    #[test]
    fn everything_that_is_sent_changes_it_and_nothing_else_does() {
        let base = fingerprint(&desired(), "key");
        let changed = [
            Desired {
                name: "other".into(),
                ..desired()
            },
            Desired {
                urls: vec!["grpc://a:1".into()],
                ..desired()
            },
            Desired {
                token: Some("other".into()),
                ..desired()
            },
            Desired {
                token: None,
                ..desired()
            },
            Desired {
                tls_root_certificate_pem: None,
                ..desired()
            },
        ];
        for other in changed {
            assert_ne!(fingerprint(&other, "key"), base, "{other:?}");
        }
        assert_eq!(base.len(), 43);
        assert_eq!(
            fingerprint(
                &Desired {
                    own_hosts: ["x".into()].into(),
                    ..desired()
                },
                "key"
            ),
            base
        );
    }

    #[test]
    fn it_cannot_be_tried_out_without_the_api_token() {
        assert_ne!(fingerprint(&desired(), "key"), fingerprint(&desired(), "other key"));
    }
}
