//! Asking a replica: one ListFlights call, by which it shows its certificate, takes the token, and says where it is and
//! what it serves.

mod call;
mod listing;
mod quiet;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use secrecy::SecretString;
use thiserror::Error;

pub use listing::Function;
pub use quiet::since_last_call;

use crate::exposure::Endpoint;

/// How long one replica may take for its whole answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What a replica is asked with: all that GoodData has, too.
#[derive(Clone)]
pub struct Question {
    /// Where it is dialled: the address of its pod.
    pub address: SocketAddr,
    /// Where GoodData dials it. The certificate must cover this host.
    pub endpoint: Endpoint,
    /// The token to present.
    pub token: Option<SecretString>,
    /// The CA certificates (PEM) to trust, for replicas that speak TLS.
    pub ca_pem: Option<String>,
}

impl fmt::Debug for Question {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Question")
            .field("address", &self.address)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

/// Why a replica must not be registered. None of the texts is the replica's own: those may hold what nobody should read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unfit {
    /// Nobody could be reached.
    #[error("it cannot be reached at {address}: {reason}")]
    Unreachable {
        /// What was dialled.
        address: String,
        /// Why.
        reason: String,
    },
    /// What it shows cannot be trusted, or is for another host.
    #[error("its certificate is not good for {host}: {reason}")]
    WrongCertificate {
        /// The host that GoodData dials.
        host: String,
        /// Why.
        reason: String,
    },
    /// It does not take the token.
    #[error("it does not accept the token: the file with its tokens may be older than the Secret")]
    TokenRefused,
    /// It starts, or ends.
    #[error("it does not serve: {0}")]
    NotServing(String),
    /// It sends clients elsewhere for their results.
    #[error("it tells clients to come back to {said}, not to {expected}")]
    OtherLocation {
        /// Where it says that it is.
        said: String,
        /// Where GoodData dials it.
        expected: String,
    },
}

/// What a replica answered.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answer {
    /// Where it says that it is.
    location: Option<String>,
    functions: Vec<Function>,
}

/// Asks one replica, and says what it serves.
///
/// # Errors
/// Why it must not be registered.
pub async fn ask(question: &Question) -> Result<Vec<Function>, Unfit> {
    let answer = tokio::time::timeout(TIMEOUT, call::list_flights(question)).await;
    let answer = answer.unwrap_or_else(|_| {
        Err(Unfit::Unreachable {
            address: question.address.to_string(),
            reason: format!("no answer within {} s", TIMEOUT.as_secs()),
        })
    })?;
    judge(&question.endpoint.url(), answer)
}

/// Whether an answer is that of the replica which GoodData will meet at this URL.
fn judge(expected: &str, answer: Answer) -> Result<Vec<Function>, Unfit> {
    match answer.location {
        Some(said) if said == expected => Ok(answer.functions),
        said => Err(Unfit::OtherLocation {
            said: said.unwrap_or_else(|| "no address".to_owned()),
            expected: expected.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::as_expected(Some("grpc://a:1"), None)]
    #[case::elsewhere(
        Some("grpc://b:1"),
        Some("it tells clients to come back to grpc://b:1, not to grpc://a:1")
    )]
    #[case::plain_instead_of_tls(Some("grpc+tls://a:1"), Some("come back to grpc+tls://a:1"))]
    #[case::nowhere(None, Some("come back to no address"))]
    fn a_replica_has_to_be_where_goodata_looks_for_it(#[case] said: Option<&str>, #[case] refused: Option<&str>) {
        let answer = Answer {
            location: said.map(str::to_owned),
            functions: Vec::new(),
        };
        let verdict = judge("grpc://a:1", answer).map_err(|unfit| unfit.to_string());
        match refused {
            None => assert_eq!(verdict, Ok(Vec::new())),
            Some(text) => assert!(verdict.as_ref().is_err_and(|said| said.contains(text)), "{verdict:?}"),
        }
    }
}
