//! Faults on purpose: what the sandbox does wrong, how often, and for which calls. Which faults meet a call is decided
//! here, purely; carrying them out is the gate's work.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use http::Method;

use crate::journal::is_write;

/// A fault as it is written on the command line and in `PUT /sandbox/faults`:
/// `KIND[=VALUE][:COUNT][@[METHOD ]PATH]`, for instance `down:3`, `slow=2s`,
/// `rate-limited=1:2@POST /api/v1/entities/dataSources`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    kind: FaultKind,
    remaining: Option<u32>,
    method: Option<Method>,
    path: Option<String>,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// `down`: 503 in plain text, as the gateway answers when nothing is behind it.
    Down,
    /// `gateway-error`: 500 in plain text.
    GatewayError,
    /// `server-error`: 500 as `problem+json`.
    ServerError,
    /// `slow=DURATION`: the call waits this long first.
    Slow(Duration),
    /// `unauthorized`: 401 whatever the token, as while an organization is being set up.
    Unauthorized,
    /// `garbage`: 200 with a body that is no JSON.
    Garbage,
    /// `rate-limited=SECONDS`: 429 with that `Retry-After`.
    RateLimited(u64),
    /// `reset-after-write`: a write is applied, then the connection is reset in place of the answer.
    ResetAfterWrite,
    /// `canonical-url`: the `url` of a data source is stored, and shown from then on, in another spelling than the
    /// one sent.
    CanonicalUrl,
}

/// What a fault does to a call.
enum Effect {
    Delay(Duration),
    Answer(WrongAnswer),
    Reset,
    CanonicalUrl,
}

/// An answer in place of the right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WrongAnswer {
    Down,
    GatewayError,
    ServerError,
    Unauthorized,
    Garbage,
    /// With the seconds of `Retry-After`.
    RateLimited(u64),
}

/// What all the faults that meet one call come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effects {
    pub(crate) delay: Duration,
    pub(crate) answer: Option<WrongAnswer>,
    pub(crate) reset: bool,
    pub(crate) canonical_url: bool,
}

/// A fault that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no fault: {reason}")]
pub struct InvalidFault {
    text: String,
    reason: String,
}

impl Fault {
    /// A fault for every call, until it is taken away.
    #[must_use]
    pub fn new(kind: FaultKind) -> Self {
        Self {
            kind,
            remaining: None,
            method: None,
            path: None,
        }
    }

    /// Nothing is behind the gateway.
    #[must_use]
    pub fn down() -> Self {
        Self::new(FaultKind::Down)
    }

    /// Every call takes this much longer.
    #[must_use]
    pub fn slow(delay: Duration) -> Self {
        Self::new(FaultKind::Slow(delay))
    }

    /// Ends the fault after that many calls it has met.
    #[must_use]
    pub fn times(self, count: u32) -> Self {
        Self {
            remaining: Some(count),
            ..self
        }
    }

    /// Keeps the fault to calls whose path starts like this.
    #[must_use]
    pub fn at(self, path: impl Into<String>) -> Self {
        Self {
            path: Some(path.into()),
            ..self
        }
    }

    /// Keeps the fault to calls of this method.
    #[must_use]
    pub fn on(self, method: Method) -> Self {
        Self {
            method: Some(method),
            ..self
        }
    }

    fn meets(&self, method: &Method, path: &str) -> bool {
        let kind_fits = match self.kind.effect() {
            Effect::Delay(_) | Effect::Answer(_) => true,
            Effect::Reset => is_write(method, path),
            Effect::CanonicalUrl => is_write(method, path) && path.starts_with("/api/v1/entities/dataSources"),
        };
        kind_fits
            && self.remaining != Some(0)
            && self.method.as_ref().is_none_or(|wanted| wanted == method)
            && self
                .path
                .as_ref()
                .is_none_or(|prefix| path.starts_with(prefix.as_str()))
    }
}

/// Uses up the faults that meet this call. Of several that would answer it, the first does and the others stay.
pub(crate) fn take_effects(faults: &mut Vec<Fault>, method: &Method, path: &str) -> Effects {
    let mut effects = Effects::default();
    for fault in faults.iter_mut().filter(|fault| fault.meets(method, path)) {
        match fault.kind.effect() {
            Effect::Delay(delay) => effects.delay = effects.delay.saturating_add(delay),
            Effect::Answer(_) | Effect::Reset | Effect::CanonicalUrl if effects.answer.is_some() => continue,
            Effect::Answer(answer) => effects.answer = Some(answer),
            Effect::Reset => effects.reset = true,
            Effect::CanonicalUrl => effects.canonical_url = true,
        }
        if let Some(remaining) = &mut fault.remaining {
            *remaining -= 1;
        }
    }
    faults.retain(|fault| fault.remaining != Some(0));
    effects
}

impl FaultKind {
    fn effect(self) -> Effect {
        match self {
            Self::Down => Effect::Answer(WrongAnswer::Down),
            Self::GatewayError => Effect::Answer(WrongAnswer::GatewayError),
            Self::ServerError => Effect::Answer(WrongAnswer::ServerError),
            Self::Unauthorized => Effect::Answer(WrongAnswer::Unauthorized),
            Self::Garbage => Effect::Answer(WrongAnswer::Garbage),
            Self::RateLimited(seconds) => Effect::Answer(WrongAnswer::RateLimited(seconds)),
            Self::Slow(delay) => Effect::Delay(delay),
            Self::ResetAfterWrite => Effect::Reset,
            Self::CanonicalUrl => Effect::CanonicalUrl,
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Down => f.write_str("down"),
            Self::GatewayError => f.write_str("gateway-error"),
            Self::ServerError => f.write_str("server-error"),
            Self::Slow(delay) => write!(f, "slow={}", humantime::format_duration(*delay)),
            Self::Unauthorized => f.write_str("unauthorized"),
            Self::Garbage => f.write_str("garbage"),
            Self::RateLimited(seconds) => write!(f, "rate-limited={seconds}"),
            Self::ResetAfterWrite => f.write_str("reset-after-write"),
            Self::CanonicalUrl => f.write_str("canonical-url"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if let Some(count) = self.remaining {
            write!(f, ":{count}")?;
        }
        match (&self.method, &self.path) {
            (None, None) => Ok(()),
            (None, Some(path)) => write!(f, "@{path}"),
            (Some(method), path) => write!(f, "@{method} {}", path.as_deref().unwrap_or("/")),
        }
    }
}

impl FromStr for Fault {
    type Err = InvalidFault;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |reason: String| InvalidFault {
            text: text.to_owned(),
            reason,
        };
        let (what, scope) = text
            .split_once('@')
            .map_or((text, None), |(what, scope)| (what, Some(scope)));
        let (what, count) = what
            .split_once(':')
            .map_or((what, None), |(what, count)| (what, Some(count)));
        let mut fault = Self::new(parse_kind(what).map_err(invalid)?);
        if let Some(count) = count {
            let count = count.parse().ok().filter(|count| *count > 0);
            fault = fault.times(count.ok_or_else(|| invalid("the count is not a number above 0".to_owned()))?);
        }
        let Some(scope) = scope else { return Ok(fault) };
        let (method, path) = scope
            .split_once(' ')
            .map_or((None, scope), |(method, path)| (Some(method), path));
        if !path.starts_with('/') {
            return Err(invalid("the path does not start with `/`".to_owned()));
        }
        match method.map(str::parse).transpose() {
            Ok(method) => Ok(Self { method, ..fault }.at(path)),
            Err(_) => Err(invalid("what stands before the path is no HTTP method".to_owned())),
        }
    }
}

fn parse_kind(text: &str) -> Result<FaultKind, String> {
    let (name, value) = text
        .split_once('=')
        .map_or((text, None), |(name, value)| (name, Some(value)));
    match (name, value) {
        ("down", None) => Ok(FaultKind::Down),
        ("gateway-error", None) => Ok(FaultKind::GatewayError),
        ("server-error", None) => Ok(FaultKind::ServerError),
        ("unauthorized", None) => Ok(FaultKind::Unauthorized),
        ("garbage", None) => Ok(FaultKind::Garbage),
        ("reset-after-write", None) => Ok(FaultKind::ResetAfterWrite),
        ("canonical-url", None) => Ok(FaultKind::CanonicalUrl),
        ("rate-limited", value) => match value.unwrap_or("1").parse() {
            Ok(seconds) => Ok(FaultKind::RateLimited(seconds)),
            Err(_) => Err("its value is not a number of seconds".to_owned()),
        },
        ("slow", value) => match value.and_then(|value| humantime::parse_duration(value).ok()) {
            Some(delay) => Ok(FaultKind::Slow(delay)),
            None => Err("it needs a duration, write for instance `slow=500ms`".to_owned()),
        },
        (name, Some(_)) if parse_kind(name).is_ok() => Err(format!("`{name}` takes no value")),
        _ => Err(
            "the kinds are down, gateway-error, server-error, slow=DURATION, unauthorized, garbage, \
                  rate-limited=SECONDS, reset-after-write and canonical-url"
                .to_owned(),
        ),
    }
}

/// Another spelling of a list of Flight URLs that means the same: lower case, and a slash after each. Left as it is
/// when the result would not fit the attribute.
pub(crate) fn canonical_url(url: &str) -> String {
    let canonical: Vec<_> = url
        .split(';')
        .map(|url| format!("{}/", url.trim().trim_end_matches('/').to_ascii_lowercase()))
        .collect();
    let canonical = canonical.join(";");
    if canonical.len() > 255 {
        url.to_owned()
    } else {
        canonical
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCES: &str = "/api/v1/entities/dataSources";

    #[test]
    fn reads_what_it_writes() {
        for text in [
            "down",
            "down:3",
            "slow=2s:1",
            "rate-limited=7:2@POST /api/v1/entities",
            "server-error@/api/v1/actions",
        ] {
            assert_eq!(text.parse::<Fault>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, reason) in [
            ("up", "the kinds are"),
            ("slow", "needs a duration"),
            ("down=1", "takes no value"),
            ("down:0", "above 0"),
            ("down@api", "start with `/`"),
            ("rate-limited=soon", "seconds"),
        ] {
            let error = text.parse::<Fault>().unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn a_counted_fault_ends_and_the_next_takes_over() {
        let mut faults = vec![Fault::down().times(2), Fault::new(FaultKind::Garbage)];
        let answers: Vec<_> = (0..3)
            .map(|_| take_effects(&mut faults, &Method::GET, SOURCES).answer)
            .collect();
        assert_eq!(
            answers,
            [
                Some(WrongAnswer::Down),
                Some(WrongAnswer::Down),
                Some(WrongAnswer::Garbage)
            ]
        );
        assert_eq!(faults, [Fault::new(FaultKind::Garbage)]);
    }

    #[test]
    fn a_reset_waits_for_a_write() {
        let mut faults = vec![Fault::new(FaultKind::ResetAfterWrite).times(1)];
        assert!(!take_effects(&mut faults, &Method::GET, SOURCES).reset);
        assert!(!take_effects(&mut faults, &Method::POST, "/api/v1/actions/dataSource/test").reset);
        assert!(take_effects(&mut faults, &Method::POST, SOURCES).reset);
        assert!(faults.is_empty());
    }

    #[test]
    fn keeps_to_its_scope() {
        let mut faults = vec![Fault::down().on(Method::PATCH).at(SOURCES)];
        assert_eq!(take_effects(&mut faults, &Method::GET, SOURCES), Effects::default());
        assert_eq!(
            take_effects(&mut faults, &Method::PATCH, "/api/v1/profile"),
            Effects::default()
        );
        assert!(
            take_effects(&mut faults, &Method::PATCH, "/api/v1/entities/dataSources/a")
                .answer
                .is_some()
        );
    }

    #[test]
    fn canonical_urls_differ_and_fit() {
        assert_eq!(
            canonical_url("grpc://A:1;grpc+tls://b:2"),
            "grpc://a:1/;grpc+tls://b:2/"
        );
        let longest = format!("grpc://{}:1", "a".repeat(246));
        assert_eq!(canonical_url(&longest), longest);
    }
}
