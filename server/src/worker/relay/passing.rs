//! What a worker is told of a call: the client's headers, and what the server knows of the client. Pure.

use base64::prelude::{BASE64_STANDARD_NO_PAD, Engine as _};
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use serde_json::json;
use tonic::transport::server::TcpConnectInfo;

use crate::auth::{Identity, Method};
use crate::net;
use crate::telemetry::spans;

/// Headers of ours begin with this; a client's own do not get there.
const OURS: &str = "x-flexconnect-";
const KEY: HeaderName = HeaderName::from_static("x-flexconnect-key");
const PEER: HeaderName = HeaderName::from_static("x-flexconnect-peer");
const IDENTITY: HeaderName = HeaderName::from_static("x-flexconnect-identity-bin");

/// Headers of one connection, which mean nothing on the next.
const OF_CONNECTION: [HeaderName; 4] = [CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING];

/// Whether a method is work, for which the end of the server waits while it still comes. The others look around.
pub(super) fn is_work(method: &str) -> bool {
    matches!(method, "GetFlightInfo" | "DoGet" | "DoPut" | "DoExchange" | "DoAction")
}

/// The same method on the worker's socket, which has no address.
pub(super) fn uri(asked: &Uri) -> Uri {
    let path = asked.path_and_query().map_or("/", |path| path.as_str());
    let worker = Uri::builder().scheme("http").authority("worker").path_and_query(path);
    // Not refused: the path was one already.
    worker.build().unwrap_or_default()
}

/// The client's headers, with who it is.
pub(super) fn headers(call: &Parts) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(call.headers.len() + 3);
    let passed = call.headers.iter();
    for (name, value) in passed.filter(|(name, _)| !name.as_str().starts_with(OURS) && !OF_CONNECTION.contains(name)) {
        headers.append(name, value.clone());
    }
    let peer = call.extensions.get().and_then(TcpConnectInfo::remote_addr);
    let peer = peer.and_then(|peer| HeaderValue::from_str(&net::peer_name(peer)).ok());
    headers.extend(peer.map(|peer| (PEER, peer)));
    let identity = call.extensions.get().and_then(identity);
    headers.extend(identity.map(|identity| (IDENTITY, identity)));
    // What the methods do is within the span of the call here.
    for (name, value) in spans::carried() {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value))
            && !value.is_empty()
        {
            headers.insert(name, value);
        }
    }
    headers
}

/// Proves to the worker that the call comes from the server, and past its gate.
pub(super) fn show_key(headers: &mut HeaderMap, key: &str) {
    if let Ok(mut key) = HeaderValue::from_str(key) {
        key.set_sensitive(true);
        headers.insert(KEY, key);
    }
}

/// Who calls; nothing for a caller of whom nothing is known.
fn identity(identity: &Identity) -> Option<HeaderValue> {
    let claims = match &identity.method {
        Method::Anonymous => return None,
        Method::Jwt(claims) => Some(&**claims),
        Method::Token | Method::Certificate => None,
    };
    let told = json!({"subject": identity.subject.as_deref(), "claims": claims}).to_string();
    HeaderValue::from_str(&BASE64_STANDARD_NO_PAD.encode(told)).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::Value;

    use super::*;

    fn call(identity: Identity) -> Parts {
        let (mut call, ()) = http::Request::builder()
            .uri("http://sales.example.com/arrow.flight.protocol.FlightService/DoGet")
            .header("host", "sales.example.com")
            .header("x-region", "EMEA")
            .header("x-flexconnect-key", "guessed")
            .header("x-flexconnect-identity-bin", "e30")
            .body(())
            .unwrap()
            .into_parts();
        call.extensions.insert(identity);
        call
    }

    #[test]
    fn nobody_but_the_server_says_who_calls() {
        let passed = headers(&call(Identity::default()));
        let names: Vec<_> = passed.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["x-region"]);
        let mut passed = headers(&call(Identity {
            method: Method::Jwt(Arc::new(serde_json::Map::from_iter([("sub".to_owned(), "ann".into())]))),
            ..Identity::named("ann")
        }));
        show_key(&mut passed, "secret");
        assert_eq!(passed[KEY], "secret");
        let told = BASE64_STANDARD_NO_PAD.decode(&passed[IDENTITY]).unwrap();
        let told: Value = serde_json::from_slice(&told).unwrap();
        assert_eq!(told, json!({"subject": "ann", "claims": {"sub": "ann"}}));
    }

    #[test]
    fn the_path_stays() {
        let uri = uri(&call(Identity::default()).uri);
        assert_eq!(
            uri.to_string(),
            "http://worker/arrow.flight.protocol.FlightService/DoGet"
        );
    }
}
