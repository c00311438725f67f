//! Who calls: the host name picks the organization, the bearer token the user.

use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, LOCATION, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use secrecy::ExposeSecret;

use crate::options::Options;

const INVALID_TOKEN: &str = "Bearer error=\"invalid_token\", error_description=\"Unable to lookup user details for \
                             provided Bearer token\", error_uri=\"https://tools.ietf.org/html/rfc6750#section-3.1\"";

/// The user behind a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Has the organization's `MANAGE`.
    Manager,
    /// Has no right, and sees no data source.
    Viewer,
}

/// Why a request has no caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stranger {
    /// A token that nobody has.
    InvalidToken,
    /// No credentials, from a script.
    NoCredentials,
    /// No credentials, from a browser: it is sent to the login page.
    Browser,
}

/// Whether the request's host name is the organization's. The port does not matter.
pub(crate) fn is_known_host(options: &Options, headers: &HeaderMap) -> bool {
    let Some(known) = &options.host else { return true };
    let host = host(headers);
    let name = if host.ends_with(']') {
        host
    } else {
        host.rsplit_once(':').map_or(host, |(name, _)| name)
    };
    name.eq_ignore_ascii_case(known)
}

/// The host and port that the client asked for.
pub(crate) fn host(headers: &HeaderMap) -> &str {
    headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default()
}

pub(crate) fn identify(options: &Options, headers: &HeaderMap) -> Result<Caller, Stranger> {
    let Some(credentials) = headers.get(AUTHORIZATION) else {
        let script = headers
            .get("X-Requested-With")
            .is_some_and(|value| value == "XMLHttpRequest");
        return Err(if script {
            Stranger::NoCredentials
        } else {
            Stranger::Browser
        });
    };
    let token = credentials
        .to_str()
        .ok()
        .and_then(|credentials| credentials.strip_prefix("Bearer "))
        .map(str::trim);
    let is = |known: &secrecy::SecretString| token == Some(known.expose_secret());
    if is(&options.token) {
        Ok(Caller::Manager)
    } else if options.viewer_token.as_ref().is_some_and(is) {
        Ok(Caller::Viewer)
    } else {
        Err(Stranger::InvalidToken)
    }
}

impl Stranger {
    pub(crate) fn answer(self, headers: &HeaderMap) -> Response {
        match self {
            Self::InvalidToken => (
                StatusCode::UNAUTHORIZED,
                [(WWW_AUTHENTICATE, HeaderValue::from_static(INVALID_TOKEN))],
            )
                .into_response(),
            Self::NoCredentials => {
                let media = HeaderValue::from_static("text/plain;charset=UTF-8");
                (StatusCode::UNAUTHORIZED, [(CONTENT_TYPE, media)], "/appLogin").into_response()
            }
            Self::Browser => {
                let host = host(headers);
                let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
                (StatusCode::FOUND, [(LOCATION, format!("/oauth2/authorization/{name}"))]).into_response()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn the_organization_has_one_host_name() {
        let options = Options {
            host: Some("acme.example.com".to_owned()),
            ..Options::default()
        };
        for known in ["acme.example.com", "ACME.example.com:3000"] {
            assert!(is_known_host(&options, &headers(&[("host", known)])), "{known}");
        }
        for unknown in ["127.0.0.1:3000", "[::1]:3000", "acme.example.com.evil"] {
            assert!(!is_known_host(&options, &headers(&[("host", unknown)])), "{unknown}");
        }
        assert!(is_known_host(&Options::default(), &headers(&[])));
    }

    #[test]
    fn tokens_pick_the_user() {
        let options = Options {
            viewer_token: Some("viewer".into()),
            ..Options::default()
        };
        let caller = |pairs| identify(&options, &headers(pairs));
        assert_eq!(
            caller(&[("authorization", "Bearer sandbox-token")]),
            Ok(Caller::Manager)
        );
        assert_eq!(caller(&[("authorization", "Bearer viewer")]), Ok(Caller::Viewer));
        assert_eq!(
            caller(&[("authorization", "Bearer other")]),
            Err(Stranger::InvalidToken)
        );
        assert_eq!(
            caller(&[("authorization", "Basic sandbox-token")]),
            Err(Stranger::InvalidToken)
        );
        assert_eq!(
            caller(&[("x-requested-with", "XMLHttpRequest")]),
            Err(Stranger::NoCredentials)
        );
        assert_eq!(caller(&[]), Err(Stranger::Browser));
    }
}
