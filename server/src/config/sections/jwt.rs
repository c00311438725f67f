//! `[jwt]`: which JSON Web Tokens are good.

use std::path::PathBuf;
use std::time::Duration;

use http::Uri;
use jsonwebtoken::Algorithm;

use crate::config::kinds::{Choice, Path, Seconds, Text, Texts};
use crate::config::reader::{Noted, Reader};
use crate::config::setting::{Is, Kind, Otherwise, Refusal, settings};
use crate::config::tree::Value;

/// Signatures by public keys. A secret that both sides know would have to be in the key set, which is public.
const ALGORITHMS: Choice<Algorithm> = Choice(&[
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
]);

const DEFAULT_ALGORITHMS: [Algorithm; 2] = [Algorithm::RS256, Algorithm::ES256];

settings! {
    /// The `iss` that tokens must have.
    ISSUER: Text, Otherwise = "issuer", Text { what: "the issuer that tokens name" }, Otherwise("none; needed");
    /// The `aud` that tokens must have; of several, one is enough.
    AUDIENCE: Texts, Otherwise = "audience", Texts { what: "the audience that tokens name" },
        Otherwise("none; needed");
    /// Where the issuer's key set is (JWKS). It is fetched at the start and again every `refresh_sec`, and once more when
    /// a token names an unknown key. While the address does not answer, the keys that are known hold.
    JWKS_URL: KeySetUrl, Otherwise = "jwks_url", KeySetUrl, Otherwise("none; this or `jwks_file` is needed");
    /// The key set as a file. It is read again when it changes.
    JWKS_FILE: Path, Otherwise = "jwks_file", Path { what: "the path of a JSON file" },
        Otherwise("none; this or `jwks_url` is needed");
    /// Which signatures are accepted.
    SIGNATURES: AlgorithmList, Otherwise = "algorithms", AlgorithmList, Otherwise("`[\"RS256\", \"ES256\"]`");
    /// How far the clocks of issuer and server may differ.
    LEEWAY: Seconds, Is<Duration> = "leeway_sec", Seconds { zero: true }, Is(Duration::from_mins(1));
    /// How often the key set is fetched again.
    REFRESH: Seconds, Is<Duration> = "refresh_sec", Seconds { zero: false }, Is(Duration::from_mins(5));
}

/// `[jwt]`: which tokens are good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtSettings {
    /// `issuer`: what `iss` must be.
    pub issuer: String,
    /// `audience`: `aud` must name one of these; never empty.
    pub audience: Vec<String>,
    /// `jwks_url` or `jwks_file`
    pub keys: KeySet,
    /// `algorithms`: never empty, and of public keys only.
    pub algorithms: Vec<Algorithm>,
    /// `leeway_sec`, of `exp` and `nbf`.
    pub leeway: Duration,
    /// `refresh_sec`
    pub refresh: Duration,
}

/// Where the issuer's public keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySet {
    /// `jwks_url`: https, or http on this machine.
    Url(Uri),
    /// `jwks_file`, relative to the working directory.
    File(PathBuf),
}

/// An https address; http is enough on this machine.
struct KeySetUrl;

impl Kind for KeySetUrl {
    type Value = Uri;

    fn read(&self, setting: &str, value: &Value) -> Result<Uri, Refusal> {
        const WHAT: &str = "an https address";
        let text = Text { what: WHAT }.read(setting, value)?;
        let fix = "write https://HOST/PATH";
        let url: Uri = text.parse().map_err(|_| Refusal::new(format!("must be {WHAT}"), fix))?;
        if url
            .authority()
            .is_some_and(|authority| authority.as_str().contains('@'))
        {
            return Err(Refusal::new(
                "must not hold a user or a password, since logs name it",
                fix,
            ));
        }
        let local = matches!(url.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
        match (url.scheme_str(), url.host()) {
            (Some("https"), Some(_)) => Ok(url),
            (Some("http"), Some(_)) if local => Ok(url),
            (Some("http"), Some(_)) => Err(Refusal::new(
                "must be an https address: who answers for it decides which tokens are good",
                fix,
            )),
            _ => Err(Refusal::new(format!("must be {WHAT}"), fix)),
        }
    }

    fn write(&self, value: &Uri) -> String {
        format!("{:?}", value.to_string())
    }

    fn summary(&self) -> String {
        "https address".to_owned()
    }
}

/// A list of algorithms; a single one is a list.
struct AlgorithmList;

impl Kind for AlgorithmList {
    type Value = Vec<Algorithm>;

    fn read(&self, setting: &str, value: &Value) -> Result<Vec<Algorithm>, Refusal> {
        match value {
            Value::List(items) if items.is_empty() => Err(Refusal::new(
                "must name an algorithm",
                "remove the setting, or write [\"RS256\"]",
            )),
            Value::List(items) => items.iter().map(|item| ALGORITHMS.read(setting, &item.value)).collect(),
            value => ALGORITHMS.read(setting, value).map(|one| vec![one]),
        }
    }

    fn write(&self, value: &Vec<Algorithm>) -> String {
        let words: Vec<_> = value.iter().map(|one| ALGORITHMS.write(one)).collect();
        format!("[{}]", words.join(", "))
    }

    fn summary(&self) -> String {
        format!("list of {}", ALGORITHMS.summary())
    }
}

/// `None` when the section is not there.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<Option<JwtSettings>, Noted> {
    if reader.is_absent() {
        return Ok(None);
    }
    let (issuer, audience) = (reader.read(&ISSUER), reader.read(&AUDIENCE));
    let (url, file) = (reader.read(&JWKS_URL), reader.read(&JWKS_FILE));
    let algorithms = reader.read(&SIGNATURES);
    let (leeway, refresh) = (reader.read(&LEEWAY), reader.read(&REFRESH));
    let issuer = issuer.and_then(|issuer| {
        issuer.ok_or_else(|| reader.refuse(ISSUER.name, "is missing", "write what `iss` is in the issuer's tokens"))
    });
    let audience = audience.and_then(|audience| {
        audience.filter(|audience| !audience.is_empty()).ok_or_else(|| {
            reader.refuse(
                AUDIENCE.name,
                "is missing",
                "write what `aud` is in the tokens for this server",
            )
        })
    });
    let keys = match (url?, file?) {
        (Some(url), None) => Ok(KeySet::Url(url)),
        (None, Some(file)) => Ok(KeySet::File(file)),
        (None, None) => Err(reader.refuse(JWKS_URL.name, "is missing", "write jwks_url, or jwks_file")),
        (Some(_), Some(_)) => Err(reader.refuse(JWKS_FILE.name, "is there beside jwks_url", "remove one of the two")),
    };
    Ok(Some(JwtSettings {
        issuer: issuer?,
        audience: audience?,
        keys: keys?,
        algorithms: algorithms?.unwrap_or_else(|| DEFAULT_ALGORITHMS.to_vec()),
        leeway: leeway?,
        refresh: refresh?,
    }))
}
