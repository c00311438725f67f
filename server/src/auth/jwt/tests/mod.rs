mod issuer;

use std::collections::HashSet;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp};
use proptest::prelude::*;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256};
use rstest::rstest;
use serde_json::{Value, json};

use super::*;

const ALL: [Algorithm; 4] = [Algorithm::RS256, Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA];

/// A key of an issuer.
struct Signer {
    algorithm: Algorithm,
    key: EncodingKey,
    pair: KeyPair,
    id: &'static str,
}

impl Signer {
    fn new(algorithm: Algorithm, id: &'static str) -> Self {
        let kind = match algorithm {
            Algorithm::RS256 => &PKCS_RSA_SHA256,
            Algorithm::ES256 => &PKCS_ECDSA_P256_SHA256,
            Algorithm::ES384 => &PKCS_ECDSA_P384_SHA384,
            _ => &PKCS_ED25519,
        };
        let pair = KeyPair::generate_for(kind).unwrap();
        let pem = pair.serialize_pem();
        let key = match algorithm {
            Algorithm::RS256 => EncodingKey::from_rsa_pem(pem.as_bytes()),
            Algorithm::ES256 | Algorithm::ES384 => EncodingKey::from_ec_pem(pem.as_bytes()),
            _ => EncodingKey::from_ed_pem(pem.as_bytes()),
        };
        let key = key.unwrap();
        Self {
            algorithm,
            key,
            pair,
            id,
        }
    }

    fn public(&self) -> Jwk {
        let mut key = match self.algorithm {
            Algorithm::EdDSA => {
                let x = URL_SAFE_NO_PAD.encode(self.pair.public_key_raw());
                serde_json::from_value(json!({"kty": "OKP", "crv": "Ed25519", "x": x})).unwrap()
            }
            algorithm => Jwk::from_encoding_key(&self.key, algorithm).unwrap(),
        };
        key.common.key_id = Some(self.id.to_owned());
        key
    }

    fn header(&self) -> Header {
        Header {
            kid: Some(self.id.to_owned()),
            ..Header::new(self.algorithm)
        }
    }

    fn sign(&self, claims: &Value) -> String {
        encode(&self.header(), claims, &self.key).unwrap()
    }
}

fn set(keys: &[Jwk]) -> String {
    json!({ "keys": keys }).to_string()
}

/// Claims that pass, with these in place of some.
fn claims(other: Value) -> Value {
    let mut claims = json!({
        "iss": "https://issuer.example.com",
        "aud": "flexconnect",
        "sub": "ann",
        "exp": get_current_timestamp() + 600,
        "groups": ["sales"],
    });
    let Value::Object(other) = other else { unreachable!() };
    for (name, value) in other {
        claims[name] = value;
    }
    claims
}

fn settings(keys: Place) -> JwtSettings {
    JwtSettings {
        issuer: "https://issuer.example.com".to_owned(),
        audience: vec!["other".to_owned(), "flexconnect".to_owned()],
        keys,
        algorithms: ALL.to_vec(),
        leeway: Duration::from_mins(1),
        refresh: Duration::from_mins(5),
    }
}

/// A verifier that knows these keys, from a file.
async fn verifier(keys: &str) -> JwtVerifier {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), keys).unwrap();
    JwtVerifier::start(&settings(Place::File(file.path().to_owned())), Metrics::new())
        .await
        .unwrap()
}

#[rstest]
#[tokio::test]
async fn a_signed_token_names_its_caller(
    #[values(Algorithm::RS256, Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA)] algorithm: Algorithm,
) {
    let signer = Signer::new(algorithm, "one");
    let verifier = verifier(&set(&[signer.public()])).await;
    let identity = verifier.identify(&signer.sign(&claims(json!({})))).await.unwrap();
    assert_eq!(identity.subject.as_deref(), Some("ann"));
    assert_eq!(identity.claim("groups"), Some(&json!(["sales"])));
}

fn expired() -> Value {
    json!({ "exp": get_current_timestamp() - 120 })
}

fn expired_within_the_leeway() -> Value {
    json!({ "exp": get_current_timestamp() - 30 })
}

fn not_yet() -> Value {
    json!({ "nbf": get_current_timestamp() + 120 })
}

#[rstest]
#[case::several_audiences(json!({"aud": ["x", "other"]}), None)]
#[case::leeway(expired_within_the_leeway(), None)]
#[case::expired(expired(), Some(Reject::Expired))]
#[case::not_yet(not_yet(), Some(Reject::NotYet))]
#[case::issuer(json!({"iss": "https://evil.example.com"}), Some(Reject::Claims("another issuer than jwt.issuer made it".into())))]
#[case::audience(json!({"aud": "somebody"}), Some(Reject::Claims("it is not for jwt.audience".into())))]
#[case::endless(json!({"exp": null}), Some(Reject::Claims("it has no claim exp".into())))]
#[case::for_everybody(json!({"aud": null}), Some(Reject::Claims("it has no claim aud".into())))]
#[tokio::test]
async fn claims_decide(#[case] other: Value, #[case] expected: Option<Reject>) {
    let signer = Signer::new(Algorithm::ES256, "one");
    let verifier = verifier(&set(&[signer.public()])).await;
    let mut claims = claims(other);
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let outcome = verifier.identify(&signer.sign(&claims)).await;
    assert_eq!(outcome.err(), expected);
}

#[tokio::test]
async fn forged_tokens_do_not_pass() {
    let signer = Signer::new(Algorithm::ES256, "one");
    let stranger = Signer::new(Algorithm::ES256, "one");
    let verifier = verifier(&set(&[signer.public()])).await;
    let rejected = async |token: &str| verifier.identify(token).await.unwrap_err();

    let forged = stranger.sign(&claims(json!({})));
    assert_eq!(rejected(&forged).await, Reject::Claims("its signature is wrong".into()));
    // What is public, taken for a secret that both sides know.
    let secret = EncodingKey::from_secret(signer.pair.public_key_pem().as_bytes());
    let confused = Header {
        alg: Algorithm::HS256,
        ..signer.header()
    };
    let confused = encode(&confused, &claims(json!({})), &secret).unwrap();
    assert_eq!(rejected(&confused).await, Reject::Algorithm);
    let good = signer.sign(&claims(json!({})));
    let (_, body) = good.split_once('.').unwrap();
    let (body, _) = body.split_once('.').unwrap();
    // {"alg":"none"}
    assert_eq!(
        rejected(&format!("eyJhbGciOiJub25lIn0.{body}.")).await,
        Reject::Malformed
    );
    let critical = Header {
        crit: Some(vec!["b64".to_owned()]),
        ..signer.header()
    };
    let critical = encode(&critical, &claims(json!({})), &signer.key).unwrap();
    assert_eq!(rejected(&critical).await, Reject::Critical);
    assert_eq!(rejected("").await, Reject::Malformed);
}

#[tokio::test]
async fn a_token_need_not_name_the_only_key() {
    let (one, two) = (
        Signer::new(Algorithm::ES256, "one"),
        Signer::new(Algorithm::ES256, "two"),
    );
    let nameless = encode(&Header::new(Algorithm::ES256), &claims(json!({})), &one.key).unwrap();
    let only = verifier(&set(&[one.public()])).await;
    assert!(only.identify(&nameless).await.is_ok());
    let several = verifier(&set(&[one.public(), two.public()])).await;
    assert_eq!(several.identify(&nameless).await.unwrap_err(), Reject::NoKeyNamed);
}

#[test]
fn callers_learn_no_more_than_they_need() {
    let told = |reject| refuse(&reject).into_answer().message().to_owned();
    assert_eq!(told(Reject::Expired), "Authentication token has expired.");
    assert_eq!(told(Reject::UnknownKey), "Authentication token is not valid.");
    assert_eq!(told(Reject::Claims("x".into())), "Authentication token is not valid.");
    assert_eq!(
        refuse(&Reject::NoKeys).into_answer().kind(),
        Some(FlightKind::Unavailable)
    );
}

#[test]
fn only_public_keys_for_signatures_are_used() {
    let signer = Signer::new(Algorithm::ES256, "one");
    let allowed: HashSet<_> = ALL.into();
    let usable = |key: Value| KeySet::parse(json!({ "keys": [key] }).to_string().as_bytes(), &allowed).is_ok();
    let with = |change: fn(&mut Jwk)| {
        let mut key = signer.public();
        change(&mut key);
        serde_json::to_value(key).unwrap()
    };
    assert!(usable(with(|_| {})));
    assert!(usable(with(|key| key.common.key_algorithm = None)));
    assert!(usable(with(
        |key| key.common.public_key_use = Some(PublicKeyUse::Signature)
    )));
    assert!(usable(with(
        |key| key.common.key_operations = Some(vec![KeyOperations::Verify])
    )));
    assert!(!usable(with(
        |key| key.common.public_key_use = Some(PublicKeyUse::Encryption)
    )));
    assert!(!usable(
        json!({"kty": "oct", "k": "c2VjcmV0", "kid": "one", "alg": "HS256"})
    ));
    assert!(!usable(json!({"kty": "XYZ"})));
    assert!(!usable(json!(7)));
    let only_rsa = HashSet::from([Algorithm::RS256]);
    assert!(KeySet::parse(set(&[signer.public()]).as_bytes(), &only_rsa).is_err());
}

#[tokio::test(start_paused = true)]
async fn keys_follow_their_file_long_before_the_refresh() {
    let old = Signer::new(Algorithm::ES256, "old");
    let new = Signer::new(Algorithm::ES256, "new");
    let file = tempfile::NamedTempFile::new().unwrap();
    let write = |text: &str| std::fs::write(file.path(), text).unwrap();
    write(&set(&[old.public(), new.public()]));
    let verifier = JwtVerifier::start(&settings(Place::File(file.path().to_owned())), Metrics::new())
        .await
        .unwrap();
    let admits = async |signer: &Signer| verifier.identify(&signer.sign(&claims(json!({})))).await.is_ok();
    let wait = || tokio::time::sleep(Duration::from_secs(10));
    assert!(admits(&old).await);

    write(&set(&[new.public()]));
    wait().await;
    assert!(!admits(&old).await, "what is no more in the file is trusted no more");
    assert!(admits(&new).await);

    for broken in ["{", ""] {
        write(broken);
        wait().await;
        assert!(admits(&new).await, "a broken file leaves the last good keys");
    }
    write(&set(&[old.public()]));
    wait().await;
    assert!(admits(&old).await);
}

#[tokio::test]
async fn a_file_must_hold_keys_at_the_start() {
    let start = async |path: &str| JwtVerifier::start(&settings(Place::File(path.into())), Metrics::new()).await;
    let error = start("/nowhere/keys.json").await.unwrap_err();
    assert_eq!(error.to_string(), "/nowhere/keys.json (jwt.jwks_file) cannot be read");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "{}").unwrap();
    let error = start(file.path().to_str().unwrap()).await.unwrap_err();
    assert!(matches!(error, JwksError::Malformed(_)), "{error}");
}

proptest! {
    #[test]
    fn any_key_set_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = KeySet::parse(&bytes, &ALL.into());
    }

    #[test]
    fn any_key_is_read_or_skipped(
        kty in prop_oneof!["RSA", "EC", "OKP", "oct"],
        crv in prop_oneof!["P-256", "P-384", "P-521", "Ed25519", "X25519"],
        value in "[A-Za-z0-9_-]{0,40}",
    ) {
        let key = json!({"kty": kty, "crv": crv, "x": value, "y": value, "n": value, "e": value, "k": value});
        let _ = KeySet::parse(json!({ "keys": [key] }).to_string().as_bytes(), &ALL.into());
    }

    #[test]
    fn any_text_is_no_token(text in "[A-Za-z0-9_.-]{0,200}|.*") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let signer = Signer::new(Algorithm::ES256, "one");
        runtime.block_on(async {
            prop_assert!(verifier(&set(&[signer.public()])).await.identify(&text).await.is_err());
            Ok(())
        })?;
    }
}
