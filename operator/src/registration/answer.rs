//! What GoodData answered: problem documents, plain text, JSON or nothing, read into one short sentence.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::detail::{Detail, clean};
use super::error::RegistrationError;

/// The longest wait that an answer can ask for.
const RETRY_AFTER_LIMIT: Duration = Duration::from_hours(1);

/// One HTTP answer, its body read within the bound.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// The union of the error bodies that GoodData and its gateways send; every member is optional.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Problem {
    detail: Option<String>,
    message: Option<String>,
    title: Option<String>,
    trace_id: Option<String>,
}

impl Answer {
    /// The body as JSON, or what is wrong with it.
    pub(super) fn json<T: DeserializeOwned>(&self, secrets: &[&str]) -> Result<T, Detail> {
        serde_json::from_slice(&self.body).map_err(|error| Detail {
            text: clean(&format!("its body is not the JSON that was expected: {error}"), secrets),
            status: Some(self.status.as_u16()),
            trace_id: self.trace_header(),
        })
    }

    /// The error that a status other than the awaited ones means, whatever was asked. `secrets` never get into it.
    pub(super) fn into_error(self, endpoint: &str, action: &str, secrets: &[&str]) -> RegistrationError {
        let detail = self.detail(secrets);
        let endpoint = endpoint.to_owned();
        let action = action.to_owned();
        match self.status.as_u16() {
            300..=399 | 401 => RegistrationError::Unauthorized { endpoint, detail },
            403 => RegistrationError::NotAuthorized { action, detail },
            429 => RegistrationError::RateLimited {
                endpoint,
                retry_after: self.retry_after(),
                detail,
            },
            408 | 500..=599 => RegistrationError::Unavailable { endpoint, detail },
            400..=499 => RegistrationError::Rejected { action, detail },
            _ => RegistrationError::UnexpectedAnswer { endpoint, detail },
        }
    }

    /// The answer in one sentence.
    pub(super) fn detail(&self, secrets: &[&str]) -> Detail {
        let content_type = self
            .header(CONTENT_TYPE.as_str())
            .unwrap_or_default()
            .to_ascii_lowercase();
        let mut problem = Problem::default();
        let said = if content_type.contains("json") {
            problem = serde_json::from_slice(&self.body).unwrap_or_default();
            problem
                .detail
                .take()
                .or(problem.message.take())
                .or(problem.title.take())
        } else if content_type.contains("html") {
            Some("an HTML page".to_owned())
        } else if self.status.is_redirection() {
            Some("it redirects to a login page".to_owned())
        } else {
            std::str::from_utf8(&self.body).ok().map(str::to_owned)
        };
        let said = said.map(|text| clean(&text, secrets)).filter(|text| !text.is_empty());
        let text = said.unwrap_or_else(|| self.status.canonical_reason().unwrap_or("no text").to_owned());
        let trace_id = problem
            .trace_id
            .filter(|id| is_trace_id(id))
            .or_else(|| self.trace_header());
        Detail {
            text,
            status: Some(self.status.as_u16()),
            trace_id,
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn trace_header(&self) -> Option<String> {
        self.header("x-gdc-trace-id")
            .filter(|id| is_trace_id(id))
            .map(str::to_owned)
    }

    /// Seconds from `Retry-After`, or from the header that older versions sent.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let seconds = self
            .header(RETRY_AFTER.as_str())
            .or_else(|| self.header("x-ratelimit-retry-after"))?;
        Some(Duration::from_secs(seconds.trim().parse().ok()?).min(RETRY_AFTER_LIMIT))
    }
}

fn is_trace_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::error::Reason;
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: headers
                .iter()
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .collect(),
            body: body.as_bytes().to_vec(),
        }
    }

    #[rstest]
    #[case::problem(
        answer(400, &[("content-type", "application/problem+json")],
            r#"{"detail":"Name is too long","status":400,"title":"Bad Request","traceId":"0af7"}"#),
        Reason::Rejected, "GoodData refuses to create it: Name is too long (HTTP 400, traceId 0af7)")]
    #[case::problem_without_trace(
        answer(400, &[("content-type", "application/problem+json")], r#"{"type":"about:blank","title":"Bad Request"}"#),
        Reason::Rejected, "GoodData refuses to create it: Bad Request (HTTP 400)")]
    #[case::empty_401(
        answer(401, &[("www-authenticate", "Bearer error=\"invalid_token\"")], ""),
        Reason::Unauthorized, "GoodData at https://gd does not accept the API token: Unauthorized (HTTP 401)")]
    #[case::login_path(
        answer(401, &[("content-type", "text/plain")], "/appLogin"),
        Reason::Unauthorized, "GoodData at https://gd does not accept the API token: /appLogin (HTTP 401)")]
    #[case::redirect(
        answer(302, &[("location", "/oauth2/authorization/gd")], ""),
        Reason::Unauthorized,
        "GoodData at https://gd does not accept the API token: it redirects to a login page (HTTP 302)")]
    #[case::forbidden(
        answer(403, &[("content-type", "application/problem+json"), ("x-gdc-trace-id", "abc")],
            r#"{"detail":"Contract expired"}"#),
        Reason::NotAuthorized, "the user of the API token may not create it: Contract expired (HTTP 403, traceId abc)")]
    #[case::gateway(
        answer(503, &[("content-type", "text/plain; charset=UTF-8")], "Can't connect to upstream service"),
        Reason::Unavailable, "GoodData at https://gd is not available: Can't connect to upstream service (HTTP 503)")]
    #[case::html(
        answer(502, &[("content-type", "text/html")], "<html><body>Bad gateway</body></html>"),
        Reason::Unavailable, "GoodData at https://gd is not available: an HTML page (HTTP 502)")]
    #[case::teapot(
        answer(226, &[], ""),
        Reason::UnexpectedAnswer, "https://gd gave an answer that GoodData does not give: IM Used (HTTP 226)")]
    fn an_answer_becomes_one_sentence(#[case] answer: Answer, #[case] reason: Reason, #[case] text: &str) {
        let error = answer.into_error("https://gd", "create it", &[]);
        assert_eq!((error.reason(), error.message()), (reason, text.to_owned()));
    }

    #[rstest]
    #[case::seconds("7", Some(7))]
    #[case::absurd("999999999", Some(3600))]
    #[case::date("Wed, 21 Oct 2026 07:28:00 GMT", None)]
    #[case::negative("-1", None)]
    fn the_wait_of_a_rate_limit_is_bounded(#[case] header: &str, #[case] seconds: Option<u64>) {
        let body = r#"{"error":"Too Many Requests","message":"Rate limit exceeded."}"#;
        let answer = answer(
            429,
            &[("content-type", "application/json"), ("retry-after", header)],
            body,
        );
        let error = answer.into_error("https://gd", "read it", &[]);
        assert_eq!(error.reason(), Reason::RateLimited);
        assert_eq!(error.retry_after(), seconds.map(Duration::from_secs));
        assert!(error.message().contains("Rate limit exceeded."));
    }

    #[test]
    fn a_trace_id_that_is_none_is_not_repeated() {
        let answer = answer(500, &[("x-gdc-trace-id", "a b; DROP")], "");
        assert_eq!(answer.detail(&[]).to_string(), "Internal Server Error (HTTP 500)");
    }
}
