//! Errors as GoodData words them: an object like that of RFC 7807, with the trace id that is also in the header.

use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

use crate::data_source::{Invalid, Refusal};

const NOT_FOUND: &str = "The requested endpoint does not exist or you do not have permission to access it.";

/// An error answer. Handlers return it as it is; the gate adds the trace id and writes the body.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
    extra: Map<String, Value>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            extra: Map::new(),
        }
    }

    /// A further member beside the usual four.
    pub(crate) fn with(mut self, member: &str, value: Value) -> Self {
        self.extra.insert(member.to_owned(), value);
        self
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// Also what a caller without the right to see the object gets.
    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, NOT_FOUND)
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "The method is not supported for the requested endpoint.",
        )
    }

    pub(crate) fn forbidden() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "You do not have permission to perform the requested operation.",
        )
    }

    pub(crate) fn server_error() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Server-side problem. Contact support.",
        )
    }

    pub(crate) fn refused(refusal: Refusal, id: &str) -> Self {
        match refusal {
            Refusal::Invalid(invalid) => invalid.into(),
            Refusal::Missing => Self::not_found(),
            Refusal::Duplicate => Self::new(
                StatusCode::CONFLICT,
                format!("An entity dataSource with id '{id}' already exists."),
            ),
        }
    }

    /// The response on the wire.
    pub(crate) fn render(self, trace: &str) -> Response {
        let mut body = json!({
            "detail": self.detail,
            "status": self.status.as_u16(),
            "title": self.status.canonical_reason().unwrap_or_default(),
            "traceId": trace,
        });
        if let Value::Object(members) = &mut body {
            members.extend(self.extra);
        }
        let media = HeaderValue::from_static("application/problem+json");
        (self.status, [(CONTENT_TYPE, media)], body.to_string()).into_response()
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        Self::bad_request(invalid.0)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
