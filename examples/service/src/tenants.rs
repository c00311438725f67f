//! Who may call: tokens are `TENANT:SECRET`.

use std::collections::BTreeMap;

use flexconnect_server::async_trait;
use flexconnect_server::auth::{Attempt, Identity, Refusal, Verifier};
use flexconnect_server::config::Tables;
use flexconnect_server::{FlightError, FunctionError};
use subtle::ConstantTimeEq as _;

/// The tenants of `[tenant_secrets]`, each with its secret: `config show` hides what is named so.
pub(crate) struct Tenants(BTreeMap<String, String>);

impl Tenants {
    /// The tenants that are configured.
    ///
    /// # Errors
    /// When there is none: nobody could call.
    pub(crate) fn of_settings(settings: &Tables) -> Result<Self, FunctionError> {
        let tenants: BTreeMap<String, String> = settings.section("tenant_secrets")?;
        if tenants.is_empty() {
            return Err(FunctionError::failed(
                "write [tenant_secrets] with a secret for each tenant",
            ));
        }
        Ok(Self(tenants))
    }
}

#[async_trait]
impl Verifier for Tenants {
    async fn verify(&self, attempt: &Attempt<'_>) -> Result<Identity, Refusal> {
        let wrong = || Refusal::new(FlightError::unauthenticated("Authentication token is not valid."));
        let (tenant, secret) = attempt
            .token
            .split_once(':')
            .ok_or_else(|| wrong().because("the token has no colon"))?;
        let known = self.0.get(tenant).ok_or_else(|| wrong().because("no such tenant"))?;
        // How long this takes tells nothing about how much of the secret was right.
        if bool::from(known.as_bytes().ct_eq(secret.as_bytes())) {
            Ok(Identity::named(tenant))
        } else {
            Err(wrong().because("the secret is wrong"))
        }
    }
}
