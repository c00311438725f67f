//! What a token must be like. Pure but for the clock.

use std::collections::HashSet;
use std::fmt;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode};
use serde_json::{Map, Value};

use crate::config::JwtSettings;

/// Why a token is not accepted, for the log: nothing of the token is in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Reject {
    #[error("the token is no JSON web token, or its algorithm is unknown")]
    Malformed,
    #[error("the token is signed by an algorithm that jwt.algorithms does not list")]
    Algorithm,
    #[error("the token demands an extension that this server does not know")]
    Critical,
    #[error("the token is signed by a key that its issuer does not publish")]
    UnknownKey,
    #[error("the token does not name its key, and several could have signed it")]
    NoKeyNamed,
    #[error("no keys were read so far")]
    NoKeys,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYet,
    #[error("the token is refused: {0}")]
    Claims(String),
}

/// The rules of the configuration.
pub(super) struct Rules {
    algorithms: Vec<Algorithm>,
    /// For all but the algorithm, which follows the token's key.
    validation: Validation,
}

impl Rules {
    pub(super) fn new(settings: &JwtSettings) -> Self {
        let mut validation = Validation {
            leeway: settings.leeway.as_secs(),
            validate_nbf: true,
            ..Validation::default()
        };
        validation.set_issuer(&[&settings.issuer]);
        validation.set_audience(&settings.audience);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        Self {
            algorithms: settings.algorithms.clone(),
            validation,
        }
    }

    /// The algorithms that may sign.
    pub(super) fn algorithms(&self) -> HashSet<Algorithm> {
        self.algorithms.iter().copied().collect()
    }

    /// Whether a token with this header may be looked at further.
    pub(super) fn admit(&self, header: &Header) -> Result<(), Reject> {
        if !self.algorithms.contains(&header.alg) {
            return Err(Reject::Algorithm);
        }
        // What is critical must be understood (RFC 7515, 4.1.11), and no extension is.
        if header.crit.is_some() {
            return Err(Reject::Critical);
        }
        Ok(())
    }

    /// The claims of a token that this key signed.
    pub(super) fn check(
        &self,
        token: &str,
        algorithm: Algorithm,
        key: &DecodingKey,
    ) -> Result<Map<String, Value>, Reject> {
        let mut validation = self.validation.clone();
        validation.algorithms = vec![algorithm];
        match decode::<Map<String, Value>>(token, key, &validation) {
            Ok(token) => Ok(token.claims),
            Err(error) => Err(match error.kind() {
                ErrorKind::ExpiredSignature => Reject::Expired,
                ErrorKind::InvalidSignature => Reject::Claims("its signature is wrong".to_owned()),
                ErrorKind::InvalidIssuer => Reject::Claims("another issuer than jwt.issuer made it".to_owned()),
                ErrorKind::InvalidAudience => Reject::Claims("it is not for jwt.audience".to_owned()),
                ErrorKind::ImmatureSignature => Reject::NotYet,
                ErrorKind::MissingRequiredClaim(claim) => Reject::Claims(format!("it has no claim {claim}")),
                ErrorKind::InvalidClaimFormat(claim) => Reject::Claims(format!("its claim {claim} has a wrong type")),
                // What else can be wrong may quote the token.
                _ => Reject::Claims("it cannot be decoded".to_owned()),
            }),
        }
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { algorithms, validation } = self;
        f.debug_struct("Rules")
            .field("algorithms", algorithms)
            .field("issuer", &validation.iss)
            .field("audience", &validation.aud)
            .finish()
    }
}
