//! Tokens that a module decides about: its strategy runs in a worker, beside the calls there. Whatever goes wrong, the
//! caller does not pass.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::call::unasked;
use super::failure;
use super::floor::Use;
use super::shared::{Shared, Waiting};
use super::wire::{Fault, FromSlot, Raised, ToSlot, WireError};
use crate::auth::{Attempt, Identity, Refusal, Verifier};
use crate::config::{Authentication, TokenVerification};
use crate::error::{ErrorCode, ErrorInfo, FlightError, FlightKind};
use crate::telemetry::RateLimit;

/// How long a caller waits for a strategy to decide.
const PATIENCE: Duration = Duration::from_secs(10);

/// Callers that may wait for that at a time, beyond which others are told to come again.
const WAITING: usize = 1_000;

/// How often a token is given to workers that turn out to have ended.
const ATTEMPTS: u32 = 3;

/// Strategies that fail in a way of their own and are logged a second: anybody may be able to make them do so.
const LOGGED_FAULTS: u32 = 10;

/// Asks the strategy of a module. Clones are the same one.
#[derive(Clone)]
pub(crate) struct PythonVerifier(Arc<Asked>);

struct Asked {
    module: String,
    /// Where it runs, once workers are started.
    workers: OnceLock<Arc<Shared>>,
    room: Semaphore,
    faults: RateLimit,
}

impl PythonVerifier {
    /// The verifier that the configuration names, if it names a module.
    pub(crate) fn asked_for(authentication: &Authentication) -> Option<Self> {
        match authentication {
            Authentication::Token {
                verification: TokenVerification::Python(module),
                ..
            } => Some(Self(Arc::new(Asked {
                module: module.clone(),
                workers: OnceLock::new(),
                room: Semaphore::new(WAITING),
                faults: RateLimit::new(LOGGED_FAULTS),
            }))),
            Authentication::Token {
                verification: TokenVerification::Enumerated(_) | TokenVerification::Jwt(_) | TokenVerification::Custom,
                ..
            }
            | Authentication::None => None,
        }
    }

    /// The module that has the strategy.
    pub(super) fn module(&self) -> &str {
        &self.0.module
    }

    /// From now on these workers are asked.
    pub(super) fn connect(&self, workers: &Arc<Shared>) {
        let _ = self.0.workers.set(Arc::clone(workers));
    }

    async fn ask(&self, workers: &Arc<Shared>, attempt: &Attempt<'_>, until: Instant) -> Result<Identity, Refusal> {
        let method = attempt.method.rsplit('/').next().unwrap_or_default();
        let question = ToSlot::Verify {
            method,
            token: attempt.token,
        };
        let mut attempts = 1;
        let seat = loop {
            let seat = workers.seat(Use::Check).await.map_err(not_now)?;
            match seat.send(&question, b"").await {
                Ok(()) => break seat,
                // The worker ended before it saw the token.
                Err(WireError::Closed) if attempts < ATTEMPTS => attempts += 1,
                Err(WireError::Malformed(_)) => {
                    seat.done();
                    let answer = FlightError::unauthenticated("Authentication token is not valid.");
                    return Err(Refusal::new(answer).because("the token is too long for a worker"));
                }
                Err(error) => return Err(not_now(seat.fails(error).await)),
            }
        };
        let waiting = Waiting::new(seat, until + workers.grace);
        let (packet, seat) = waiting.answer().await.map_err(not_now)?;
        match packet.read::<FromSlot>() {
            Ok(FromSlot::Verified { subject }) => {
                seat.done();
                Ok(subject.map_or_else(Identity::token, Identity::named))
            }
            Ok(FromSlot::Refused(raised)) => {
                seat.done();
                Err(self.refused(raised, &packet.body))
            }
            Ok(
                FromSlot::Large { .. }
                | FromSlot::Table { .. }
                | FromSlot::Stream { .. }
                | FromSlot::Error(_)
                | FromSlot::Batch
                | FromSlot::Rest
                | FromSlot::End,
            ) => Err(not_now(unasked(seat).await)),
            Err(malformed) => Err(not_now(seat.fails(malformed.into()).await)),
        }
    }

    /// What the caller is told: what the strategy raised, or that it failed in a way of its own. The text of such a
    /// failure may be about the inside of the service, and is for its log.
    fn refused(&self, raised: Raised, carried: &Bytes) -> Refusal {
        let Some(fault) = raised.fault else {
            return Refusal::new(told(raised, carried));
        };
        if let Some(suppressed) = self.0.faults.admit() {
            let suppressed = (suppressed > 0).then_some(suppressed);
            let module = self.module();
            tracing::error!(
                module,
                exception = raised.traceback,
                suppressed,
                "token_verification_failed"
            );
        }
        let message = "The token could not be verified because of an error in the server.".to_owned();
        let answer = match fault {
            Fault::Value => FlightError::InvalidArgument(message),
            Fault::NotImplemented => FlightError::Unimplemented(message),
            Fault::Other => FlightError::Plain {
                kind: FlightKind::Server,
                message,
            },
        };
        Refusal::new(answer).because("the token verification strategy failed")
    }
}

#[async_trait]
impl Verifier for PythonVerifier {
    async fn verify(&self, attempt: &Attempt<'_>) -> Result<Identity, Refusal> {
        let Some(workers) = self.0.workers.get() else {
            return Err(not_now("the workers that verify tokens are not there yet"));
        };
        let Ok(_room) = self.0.room.try_acquire() else {
            let message = "Too many tokens are being verified. Try again later.";
            return Err(FlightError::backpressure(message).into());
        };
        let until = Instant::now() + PATIENCE;
        match timeout_at(until, self.ask(workers, attempt, until)).await {
            Ok(decided) => decided,
            Err(_) => Err(not_now("the token verification strategy did not decide in time")),
        }
    }
}

/// A Flight error that the strategy raised; with its `ErrorInfo`, when it has one.
pub(super) fn told(raised: Raised, carried: &Bytes) -> FlightError {
    let Raised {
        kind,
        code,
        message,
        detail,
        traceback: _,
        fault: _,
        cpu: _,
    } = raised;
    let (kind, message) = (failure::class(kind), message.unwrap_or_default());
    if carried.is_empty() {
        return FlightError::Plain { kind, message };
    }
    let code = i32::try_from(code).map_or(ErrorCode::UNKNOWN, ErrorCode::new);
    let mut info = ErrorInfo::new(code, message);
    if let Some(detail) = detail {
        info = info.with_detail(detail);
    }
    if let Some(body) = failure::body(carried) {
        info = info.with_body(body);
    }
    FlightError::new(kind, info)
}

/// Nobody can tell at the moment.
fn not_now(why: impl std::fmt::Display) -> Refusal {
    let message = "The token cannot be verified at the moment. Try again later.";
    let info = ErrorInfo::new(ErrorCode::NOT_READY, message);
    Refusal::new(FlightError::new(FlightKind::Unavailable, info)).because(why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raised(json: &str) -> Raised {
        serde_json::from_str(json).expect("what was raised")
    }

    fn verifier() -> PythonVerifier {
        PythonVerifier::asked_for(&Authentication::Token {
            header: crate::config::TokenHeader::Bearer,
            verification: TokenVerification::Python("tokens".to_owned()),
        })
        .expect("a module is named")
    }

    #[test]
    fn what_a_strategy_raises_is_told() {
        let verifier = verifier();
        let plain = r#"{"kind": "unauthorized", "message": "not yours"}"#;
        let refused = verifier.refused(raised(plain), &Bytes::new());
        assert_eq!(refused.into_answer(), FlightError::unauthorized("not yours"));
        let described = r#"{"kind": "unavailable", "message": "later", "code": 1500}"#;
        let refused = verifier.refused(raised(described), &Bytes::from(r#"{"msg": "later", "body": "cjox"}"#));
        let info = ErrorInfo::new(ErrorCode::new(1500), "later").with_body(&b"r:1"[..]);
        assert_eq!(refused.into_answer(), FlightError::new(FlightKind::Unavailable, info));
    }

    #[test]
    fn a_failure_of_the_strategy_is_no_news_for_strangers() {
        for (fault, code) in [
            ("value", tonic::Code::InvalidArgument),
            ("not-implemented", tonic::Code::Unimplemented),
            ("other", tonic::Code::Unknown),
        ] {
            let text = format!(r#"{{"kind": "none", "fault": "{fault}", "traceback": "password=hush"}}"#);
            let status = tonic::Status::from(verifier().refused(raised(&text), &Bytes::new()).into_answer());
            assert_eq!(
                (status.code(), status.message().contains("hush")),
                (code, false),
                "{fault}"
            );
        }
    }

    #[tokio::test]
    async fn nobody_passes_while_there_are_no_workers() {
        let headers = http::HeaderMap::new();
        let attempt = Attempt {
            token: "good",
            method: "/arrow.flight.protocol.FlightService/DoGet",
            headers: &headers,
            peer: None,
            certificate: None,
        };
        let refusal = verifier().verify(&attempt).await.expect_err("nobody knows");
        assert_eq!(refusal.into_answer().kind(), Some(FlightKind::Unavailable));
    }
}
