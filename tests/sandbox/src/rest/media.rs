//! Media types: which a family of endpoints speaks, what `Accept` picks, and JSON bodies that are checked for both.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde_json::Value;

use super::problem::Problem;

const VENDOR: &str = "application/vnd.gooddata.api+json";
const JSON: &str = "application/json";

/// The media type of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    Vendor,
    Json,
}

impl Media {
    pub(crate) fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Vendor => VENDOR,
            Self::Json => JSON,
        })
    }

    /// A JSON answer of this type.
    pub(crate) fn answer(self, status: StatusCode, body: &Value) -> Response {
        (status, [(CONTENT_TYPE, self.header())], body.to_string()).into_response()
    }
}

/// What the endpoints under a path speak, the default first.
fn spoken(path: &str) -> &'static [Media] {
    if path.starts_with("/api/v1/entities/") {
        &[Media::Vendor, Media::Json]
    } else {
        &[Media::Json]
    }
}

fn negotiate(path: &str, headers: &HeaderMap) -> Option<Media> {
    let spoken = spoken(path);
    let mut wanted = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .peekable();
    if wanted.peek().is_none() {
        return spoken.first().copied();
    }
    wanted
        .flat_map(|value| value.split(','))
        .find_map(|range| match essence(range).as_str() {
            "*/*" | "application/*" => spoken.first().copied(),
            range => spoken.iter().copied().find(|media| media.header() == range),
        })
}

fn essence(media: &str) -> String {
    media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

impl<S: Sync> FromRequestParts<S> for Media {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        negotiate(parts.uri.path(), &parts.headers).ok_or_else(|| {
            Problem::new(
                StatusCode::NOT_ACCEPTABLE,
                "None of the accepted media types is available.",
            )
        })
    }
}

/// A JSON body of a media type that the endpoint takes.
pub(crate) struct Body(pub(crate) Value);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let sent = request
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .map(essence);
        let spoken = spoken(request.uri().path());
        if !sent.is_some_and(|sent| spoken.iter().any(|media| media.header() == sent)) {
            let detail = "The media type of the body is not supported.";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let bytes = Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|rejection| Problem::new(rejection.status(), rejection.body_text()))?;
        let body = serde_json::from_slice(&bytes);
        body.map(Self)
            .map_err(|error| Problem::bad_request(format!("The body is not valid JSON: {error}.")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picked(path: &str, accept: Option<&'static str>) -> Option<Media> {
        let mut headers = HeaderMap::new();
        if let Some(accept) = accept {
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
        }
        negotiate(path, &headers)
    }

    #[test]
    fn entities_mirror_accept_and_default_to_the_vendor_type() {
        let path = "/api/v1/entities/dataSources";
        assert_eq!(picked(path, None), Some(Media::Vendor));
        assert_eq!(picked(path, Some("*/*")), Some(Media::Vendor));
        assert_eq!(picked(path, Some("application/json")), Some(Media::Json));
        assert_eq!(
            picked(path, Some("text/html, application/vnd.gooddata.api+json;q=0.9")),
            Some(Media::Vendor)
        );
        assert_eq!(picked(path, Some("text/html")), None);
    }

    #[test]
    fn actions_speak_plain_json_only() {
        let path = "/api/v1/actions/dataSource/test";
        assert_eq!(picked(path, None), Some(Media::Json));
        assert_eq!(picked(path, Some("application/vnd.gooddata.api+json")), None);
    }
}
