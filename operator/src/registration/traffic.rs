//! What all clients share: for each host one rate of requests and one pause, so that a thousand objects together are no
//! more than GoodData bears; the fence in front of writes; and metrics.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::DefaultDirectRateLimiter;
use governor::Quota;
use reqwest::Method;

use super::answer::Answer;
use super::detail::Detail;
use super::error::RegistrationError;
use crate::runtime::fence::Fence;
use crate::runtime::metrics::Metrics;

/// Requests a second to one host, by all objects together. GoodData does not tell its limits; a person's browser does more.
const RATE: NonZeroU32 = NonZeroU32::new(10).unwrap();
/// How many may come at once before that rate holds.
const BURST: NonZeroU32 = NonZeroU32::new(20).unwrap();
/// Hosts that are remembered. Beyond, those that were asked least recently are forgotten.
const MAX_HOSTS: usize = 1000;
/// The pause after "too many requests" that says no time.
const PAUSE: Duration = Duration::from_secs(30);

/// What all clients of one operator share. Clones are the same.
#[derive(Clone, Default)]
pub struct Traffic(Arc<State>);

#[derive(Default)]
struct State {
    fence: Fence,
    metrics: Metrics,
    hosts: Mutex<HashMap<String, Host>>,
}

struct Host {
    limiter: Arc<DefaultDirectRateLimiter>,
    paused_until: Option<Instant>,
    used: Instant,
}

impl fmt::Debug for Traffic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Traffic").finish_non_exhaustive()
    }
}

/// One request that may be sent now.
pub(super) struct Turn<'a> {
    traffic: &'a Traffic,
    host: String,
    method: Method,
    begin: Instant,
}

impl Traffic {
    /// Of an operator that may lose its lease.
    #[must_use]
    pub fn new(fence: Fence, metrics: Metrics) -> Self {
        Self(Arc::new(State {
            fence,
            metrics,
            hosts: Mutex::default(),
        }))
    }

    /// How long this host still wants to be left alone; `None`: not at all.
    #[must_use]
    pub fn paused(&self, host: &str) -> Option<Duration> {
        self.host(host, |host| host.paused_until)?
            .checked_duration_since(Instant::now())
            .filter(|left| !left.is_zero())
    }

    /// Waits until a request may be sent.
    pub(super) async fn turn(
        &self,
        host: &str,
        endpoint: &str,
        method: &Method,
    ) -> Result<Turn<'_>, RegistrationError> {
        if let Some(left) = self.paused(host) {
            let text = format!(
                "it asked for a pause of {} s more",
                left.as_secs().next_multiple_of(10).max(10)
            );
            return Err(RegistrationError::RateLimited {
                endpoint: endpoint.to_owned(),
                retry_after: Some(left),
                detail: Detail::finding(text),
            });
        }
        let arrived = Instant::now();
        self.host(host, |host| Arc::clone(&host.limiter)).until_ready().await;
        self.0.metrics.remote_waited("rate", arrived.elapsed());
        if *method != Method::GET {
            // Looked at when the request is about to leave, and not when it was thought of.
            self.0.fence.pass().map_err(|_| RegistrationError::NotLeading)?;
        }
        Ok(Turn {
            traffic: self,
            host: host.to_owned(),
            method: method.clone(),
            begin: Instant::now(),
        })
    }

    fn host<T>(&self, name: &str, use_it: impl FnOnce(&mut Host) -> T) -> T {
        let mut hosts = self.0.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() >= MAX_HOSTS && !hosts.contains_key(name) {
            let oldest = hosts.iter().min_by_key(|(_, host)| host.used);
            let oldest = oldest.map(|(name, _)| name.clone());
            oldest.and_then(|oldest| hosts.remove(&oldest));
        }
        let host = hosts.entry(name.to_owned()).or_insert_with(|| Host {
            limiter: Arc::new(DefaultDirectRateLimiter::direct(
                Quota::per_second(RATE).allow_burst(BURST),
            )),
            paused_until: None,
            used: Instant::now(),
        });
        host.used = Instant::now();
        use_it(host)
    }
}

impl Turn<'_> {
    /// The request was answered, or was not.
    pub(super) fn ended(self, outcome: Result<&Answer, &RegistrationError>) {
        let label = match outcome {
            Ok(answer) => label(answer.status.as_u16()),
            Err(RegistrationError::Unreachable { .. }) => "unreachable",
            Err(_) => "unexpected",
        };
        let State { metrics, .. } = &*self.traffic.0;
        metrics.remote_answered(self.method.as_str(), label, self.begin.elapsed());
        if let Ok(answer) = outcome
            && answer.status.as_u16() == 429
        {
            let until = Instant::now() + answer.retry_after().unwrap_or(PAUSE);
            self.traffic.host(&self.host, |host| {
                host.paused_until = host.paused_until.max(Some(until));
            });
        }
    }
}

fn label(status: u16) -> &'static str {
    match status {
        200..=299 => "ok",
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not_found",
        409 => "conflict",
        429 => "rate_limited",
        408 | 500..=599 => "unavailable",
        400..=499 => "refused",
        _ => "unexpected",
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};

    use super::*;

    fn too_many(seconds: Option<&'static str>) -> Answer {
        let mut headers = HeaderMap::new();
        if let Some(seconds) = seconds {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(seconds));
        }
        Answer {
            status: StatusCode::TOO_MANY_REQUESTS,
            headers,
            body: Vec::new(),
        }
    }

    #[tokio::test]
    async fn a_pause_that_one_was_asked_for_holds_for_all_and_for_that_host_alone() {
        let traffic = Traffic::default();
        let turn = traffic.turn("gd", "https://gd", &Method::GET).await.unwrap();
        turn.ended(Ok(&too_many(Some("120"))));
        assert!(
            traffic
                .clone()
                .paused("gd")
                .is_some_and(|left| left > Duration::from_secs(110))
        );
        let refused = traffic.turn("gd", "https://gd", &Method::GET).await;
        let error = refused.err().unwrap();
        assert_eq!(
            error.message(),
            "GoodData at https://gd limits the rate of requests: it asked for a pause of 120 s more"
        );
        assert_eq!(traffic.paused("other"), None);
        assert!(traffic.turn("other", "https://other", &Method::GET).await.is_ok());

        let turn = traffic.turn("silent", "https://silent", &Method::GET).await.unwrap();
        turn.ended(Ok(&too_many(None)));
        assert!(
            traffic.paused("silent").is_some(),
            "without a time it is ours to choose"
        );
    }

    #[tokio::test]
    async fn a_burst_is_spread() {
        let traffic = Traffic::default();
        let begin = Instant::now();
        for _ in 0..BURST.get() + 3 {
            traffic.turn("gd", "https://gd", &Method::GET).await.unwrap();
        }
        // Never earlier than the rate allows, however slow the machine is.
        assert!(begin.elapsed() >= Duration::from_millis(290), "{:?}", begin.elapsed());
    }

    #[tokio::test]
    async fn who_does_not_lead_reads_and_never_writes() {
        let traffic = Traffic::new(Fence::closed(), Metrics::new());
        assert!(traffic.turn("gd", "https://gd", &Method::GET).await.is_ok());
        for method in [Method::POST, Method::PATCH, Method::DELETE] {
            let refused = traffic.turn("gd", "https://gd", &method).await;
            assert!(matches!(refused.err(), Some(RegistrationError::NotLeading)));
        }
    }

    #[tokio::test]
    async fn hosts_are_not_remembered_without_a_bound() {
        let traffic = Traffic::default();
        for number in 0..MAX_HOSTS + 10 {
            assert_eq!(traffic.paused(&format!("host-{number}")), None);
        }
        assert_eq!(traffic.0.hosts.lock().unwrap().len(), MAX_HOSTS);
    }
}
