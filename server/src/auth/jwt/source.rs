//! Where a JSON web key set comes from: the issuer's address, or a file.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, StatusCode, Url};
use tokio::io::AsyncReadExt as _;

use crate::config::KeySet as Place;

/// How long an issuer may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Far more than issuers publish.
const MAX_BYTES: u64 = 1024 * 1024;

const MAX_REDIRECTS: usize = 3;

/// Keys that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum JwksError {
    /// The file cannot be read.
    #[error("{} (jwt.jwks_file) cannot be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Not an address that can be asked.
    #[error("jwt.jwks_url is no address of the web; write https://HOST/PATH")]
    Address,
    /// The issuer cannot be asked.
    #[error("the keys at jwt.jwks_url cannot be fetched")]
    Fetch(#[source] reqwest::Error),
    /// The issuer answered something else.
    #[error("jwt.jwks_url answers with HTTP status {0}")]
    Status(StatusCode),
    /// Too long for a set of keys.
    #[error("the key set is larger than 1 MiB")]
    TooLarge,
    /// Not a set of keys.
    #[error("the key set is no JSON object with a list `keys`")]
    Malformed(#[source] serde_json::Error),
    /// Nothing in the set verifies signatures by an allowed algorithm.
    #[error("the key set has no public key for an algorithm of jwt.algorithms")]
    NoUsableKey,
}

/// Where keys are read from.
#[derive(Debug)]
pub(super) enum Source {
    Url { client: Client, url: Url },
    File(PathBuf),
}

impl Source {
    pub(super) fn new(place: &Place) -> Result<Self, JwksError> {
        Ok(match place {
            Place::File(path) => Self::File(path.clone()),
            Place::Url(uri) => {
                let url = Url::parse(&uri.to_string()).map_err(|_| JwksError::Address)?;
                let client = Client::builder()
                    .timeout(PATIENCE)
                    .redirect(Policy::custom(redirect))
                    .build()
                    .map_err(JwksError::Fetch)?;
                Self::Url { client, url }
            }
        })
    }

    /// The text of the set.
    pub(super) async fn read(&self) -> Result<Vec<u8>, JwksError> {
        match self {
            Self::Url { client, url } => fetch(client, url.clone()).await,
            Self::File(path) => {
                let unreadable = |source| JwksError::File {
                    path: path.clone(),
                    source,
                };
                let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
                let mut text = Vec::new();
                file.take(MAX_BYTES + 1)
                    .read_to_end(&mut text)
                    .await
                    .map_err(unreadable)?;
                bounded(text)
            }
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url { url, .. } => url.fmt(f),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// Follows an issuer to another address, but never from an encrypted one to a plain one.
fn redirect(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let encrypted = |url: &Url| url.scheme() == "https";
    let downgrade = attempt.previous().iter().any(encrypted) && !encrypted(attempt.url());
    if downgrade || attempt.previous().len() > MAX_REDIRECTS {
        attempt.stop()
    } else {
        attempt.follow()
    }
}

async fn fetch(client: &Client, url: Url) -> Result<Vec<u8>, JwksError> {
    let mut response = client
        .get(url)
        .header("accept", "application/jwk-set+json, application/json")
        .send()
        .await
        .map_err(JwksError::Fetch)?;
    if !response.status().is_success() {
        return Err(JwksError::Status(response.status()));
    }
    let mut text = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(JwksError::Fetch)? {
        text.extend_from_slice(&chunk);
        text = bounded(text)?;
    }
    Ok(text)
}

fn bounded(text: Vec<u8>) -> Result<Vec<u8>, JwksError> {
    if u64::try_from(text.len()).is_ok_and(|length| length <= MAX_BYTES) {
        Ok(text)
    } else {
        Err(JwksError::TooLarge)
    }
}
