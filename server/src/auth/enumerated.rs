//! Tokens that are listed in the configuration.

use std::fmt;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use super::{Attempt, Identity, Refusal, Verifier};
use crate::error::FlightError;

/// Accepts the tokens of a list, which can be replaced while calls come in.
///
/// Only digests are kept, and all are compared: how long a look-up takes tells neither how much of a token was right, nor
/// its length, nor which one it was.
pub struct EnumeratedTokens(ArcSwap<Vec<TokenDigest>>);

type TokenDigest = [u8; 32];

fn digest(token: &str) -> TokenDigest {
    Sha256::digest(token.as_bytes()).into()
}

fn digests(tokens: &[SecretString]) -> Vec<TokenDigest> {
    tokens.iter().map(|token| digest(token.expose_secret())).collect()
}

impl EnumeratedTokens {
    /// Accepts these tokens. An empty list accepts nobody.
    #[must_use]
    pub fn new(tokens: &[SecretString]) -> Self {
        Self(ArcSwap::from_pointee(digests(tokens)))
    }

    /// Accepts these tokens from now on, and the earlier ones no longer. Calls that have passed go on.
    pub fn replace(&self, tokens: &[SecretString]) {
        self.0.store(digests(tokens).into());
    }

    fn contains(&self, token: &str) -> bool {
        let token = digest(token);
        self.0
            .load()
            .iter()
            .map(|known| known.ct_eq(&token))
            .fold(Choice::from(0), |any, one| any | one)
            .into()
    }
}

impl fmt::Debug for EnumeratedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EnumeratedTokens({} tokens)", self.0.load().len())
    }
}

#[async_trait]
impl Verifier for EnumeratedTokens {
    async fn verify(&self, attempt: &Attempt<'_>) -> Result<Identity, Refusal> {
        if self.contains(attempt.token) {
            Ok(Identity::token())
        } else {
            Err(
                Refusal::new(FlightError::unauthenticated("Authentication token is not valid."))
                    .because("the token is not in the list"),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("one", true)]
    #[case("two", true)]
    #[case("on", false)]
    #[case("onee", false)]
    #[case("One", false)]
    #[case("", false)]
    fn only_listed_tokens_pass(#[case] token: &str, #[case] expected: bool) {
        let tokens = EnumeratedTokens::new(&["one".into(), "two".into()]);
        assert_eq!(tokens.contains(token), expected);
        assert_eq!(format!("{tokens:?}"), "EnumeratedTokens(2 tokens)");
    }

    #[test]
    fn a_new_list_counts_at_once() {
        let tokens = EnumeratedTokens::new(&["old".into()]);
        tokens.replace(&["new".into()]);
        assert!(tokens.contains("new"));
        assert!(!tokens.contains("old"));
        tokens.replace(&[]);
        assert!(!tokens.contains("new"));
    }
}
