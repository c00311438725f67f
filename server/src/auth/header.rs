//! Finds the token in the headers of a call.

use http::{HeaderMap, header};

use crate::config::TokenHeader;
use crate::telemetry::metrics::AuthFailure;

const PREFIX: &str = "Bearer ";

/// Why there is no token. The texts are the original's: clients may match on them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoToken {
    #[error("Authentication failed because the authentication header bearing the token was not included on the call.")]
    Missing,
    #[error("Authentication failed because the authentication header '{0}' is specified multiple times.")]
    Repeated(String),
    #[error("Authentication failed because the 'Authorization' header does not start with 'Bearer '")]
    NoBearer,
    #[error("Authentication token is not valid.")]
    NotText,
}

impl NoToken {
    /// How it is counted.
    pub(super) const fn failure(&self) -> AuthFailure {
        match self {
            Self::Missing => AuthFailure::Missing,
            Self::Repeated(_) | Self::NoBearer | Self::NotText => AuthFailure::Malformed,
        }
    }
}

/// The token: what follows `Bearer `, or the whole value of a header of one's own; without blanks around it.
pub(super) fn token<'h>(header: &TokenHeader, headers: &'h HeaderMap) -> Result<&'h str, NoToken> {
    let (name, spelling) = match header {
        TokenHeader::Bearer => (&header::AUTHORIZATION, "Authorization"),
        TokenHeader::Custom { name, spelling } => (name, spelling.as_str()),
    };
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or(NoToken::Missing)?;
    if values.next().is_some() {
        return Err(NoToken::Repeated(spelling.to_owned()));
    }
    let value = std::str::from_utf8(value.as_bytes()).map_err(|_| NoToken::NotText)?;
    match header {
        TokenHeader::Bearer => value.strip_prefix(PREFIX).map(str::trim).ok_or(NoToken::NoBearer),
        TokenHeader::Custom { .. } => Ok(value.trim()),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use rstest::rstest;

    use super::*;

    fn custom() -> TokenHeader {
        TokenHeader::Custom {
            spelling: "X-Token".to_owned(),
            name: HeaderName::from_static("x-token"),
        }
    }

    fn headers(name: &'static str, values: &[&'static str]) -> HeaderMap {
        values
            .iter()
            .map(|value| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[rstest]
    #[case::plain(&["Bearer t1"], Ok("t1"))]
    #[case::blanks(&["Bearer    t1  "], Ok("t1"))]
    #[case::empty(&["Bearer "], Ok(""))]
    #[case::lower_case(&["bearer t1"], Err(NoToken::NoBearer))]
    #[case::no_blank(&["Bearer"], Err(NoToken::NoBearer))]
    #[case::other_scheme(&["Basic dDE="], Err(NoToken::NoBearer))]
    #[case::missing(&[], Err(NoToken::Missing))]
    #[case::twice(&["Bearer t1", "Bearer t1"], Err(NoToken::Repeated("Authorization".to_owned())))]
    fn bearer(#[case] values: &[&'static str], #[case] expected: Result<&str, NoToken>) {
        assert_eq!(token(&TokenHeader::Bearer, &headers("authorization", values)), expected);
    }

    #[rstest]
    #[case::whole(&[" t1 "], Ok("t1"))]
    #[case::bearer_is_part_of_it(&["Bearer t1"], Ok("Bearer t1"))]
    #[case::empty(&[""], Ok(""))]
    #[case::missing(&[], Err(NoToken::Missing))]
    #[case::twice(&["a", "b"], Err(NoToken::Repeated("X-Token".to_owned())))]
    fn a_header_of_ones_own(#[case] values: &[&'static str], #[case] expected: Result<&str, NoToken>) {
        assert_eq!(token(&custom(), &headers("x-token", values)), expected);
    }

    #[test]
    fn bytes_are_no_token() {
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_bytes(b"Bearer \xff").unwrap())]);
        assert_eq!(token(&TokenHeader::Bearer, &headers), Err(NoToken::NotText));
    }
}
