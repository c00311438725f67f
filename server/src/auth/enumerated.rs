//! Tokens that are listed in the configuration.

use std::fmt;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use subtle::{Choice, ConstantTimeEq};

use super::Verifier;
use crate::error::FlightError;

/// Accepts the tokens of a list. How long a look-up takes says nothing about how much of a token was right, nor about
/// which one it was.
pub struct EnumeratedTokens(Vec<SecretString>);

impl EnumeratedTokens {
    /// Accepts these tokens. An empty list accepts nobody.
    #[must_use]
    pub fn new(tokens: Vec<SecretString>) -> Self {
        Self(tokens)
    }

    fn contains(&self, token: &str) -> bool {
        let matches = |known: &SecretString| known.expose_secret().as_bytes().ct_eq(token.as_bytes());
        self.0
            .iter()
            .map(matches)
            .fold(Choice::from(0), |any, one| any | one)
            .into()
    }
}

impl fmt::Debug for EnumeratedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EnumeratedTokens({} tokens)", self.0.len())
    }
}

#[async_trait]
impl Verifier for EnumeratedTokens {
    async fn verify(&self, token: &str) -> Result<(), FlightError> {
        if self.contains(token) {
            return Ok(());
        }
        Err(FlightError::unauthenticated("Authentication token is not valid."))
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
        let tokens = EnumeratedTokens::new(vec!["one".into(), "two".into()]);
        assert_eq!(tokens.contains(token), expected);
        assert_eq!(format!("{tokens:?}"), "EnumeratedTokens(2 tokens)");
    }
}
