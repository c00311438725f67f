//! Reading the configuration again while the server runs.

use std::fmt;
use std::sync::Arc;

use secrecy::SecretString;

use super::sections::{Authentication, TokenVerification};
use super::{Inputs, Mistakes};

/// Where a configuration was read from.
#[derive(Clone)]
pub struct Origin(Arc<Inputs>);

impl Origin {
    pub(crate) fn new(inputs: Inputs) -> Self {
        Self(Arc::new(inputs))
    }

    /// The tokens that the files list now, laid under the variables the server was started with. `None` when tokens are
    /// not listed any more, or are not what is asked for.
    ///
    /// # Errors
    /// When the configuration as a whole has a mistake: what is half written must not lock callers out.
    pub fn tokens(&self) -> Result<Option<Vec<SecretString>>, Mistakes> {
        let (config, _) = super::load(&self.0)?;
        Ok(match config.server.authentication {
            Authentication::Token {
                verification: TokenVerification::Enumerated(tokens),
                ..
            } => Some(tokens),
            Authentication::None
            | Authentication::Token {
                verification: TokenVerification::Jwt(_) | TokenVerification::Custom,
                ..
            } => None,
        })
    }
}

/// Variables hold secrets and are not shown.
impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Origin").field(&self.0.files).finish()
    }
}
