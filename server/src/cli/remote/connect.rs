//! Reaching a server: its URL, the certificates to trust and to show, the headers of every call.

use std::fmt;
use std::fs;
use std::path::Path;
use std::time::Duration;

use arrow_flight::flight_service_client::FlightServiceClient;
use http::Uri;
use rustls_pki_types::TrustAnchor;
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue, MetadataMap};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Extensions, Request};

use super::{RemoteError, ServerArguments};

/// The port of servers whose URL names none.
const DEFAULT_PORT: u16 = 17001;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a quiet connection is asked whether it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// A server that can be asked.
#[derive(Clone)]
pub(crate) struct Connection {
    url: String,
    client: FlightServiceClient<Channel>,
    headers: MetadataMap,
}

impl Connection {
    /// The client to ask with.
    pub(super) fn client(&mut self) -> &mut FlightServiceClient<Channel> {
        &mut self.client
    }

    /// A request with the headers that were asked for.
    pub(super) fn request<T>(&self, message: T) -> Request<T> {
        Request::from_parts(self.headers.clone(), Extensions::default(), message)
    }

    /// The server's URL as it was given.
    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

/// Without the headers, which hold the token.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// Connects to the server at `url`.
pub(crate) async fn connect(url: &str, arguments: &ServerArguments) -> Result<Connection, RemoteError> {
    let (uri, tls) = parse_url(url)?;
    let headers = headers(arguments)?;
    let mut endpoint = Endpoint::from(uri)
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .initial_stream_window_size(8 * 1024 * 1024)
        .initial_connection_window_size(16 * 1024 * 1024);
    if tls {
        endpoint = endpoint
            .tls_config(tls_config(arguments)?)
            .map_err(|error| RemoteError::unreachable(url, &error))?;
    }
    let channel = endpoint
        .connect()
        .await
        .map_err(|error| RemoteError::unreachable(url, &error))?;
    let client = FlightServiceClient::new(channel)
        .max_decoding_message_size(usize::MAX)
        .max_encoding_message_size(usize::MAX);
    Ok(Connection {
        url: url.to_owned(),
        client,
        headers,
    })
}

/// The address to dial, and whether it speaks TLS.
fn parse_url(url: &str) -> Result<(Uri, bool), RemoteError> {
    let wrong = || RemoteError::Url { url: url.to_owned() };
    let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
    let tls = match scheme {
        "grpc" | "grpc+tcp" | "http" => false,
        "grpc+tls" | "grpcs" | "https" => true,
        _ => return Err(wrong()),
    };
    let uri: Uri = format!("{}://{rest}", if tls { "https" } else { "http" })
        .parse()
        .map_err(|_| wrong())?;
    let authority = uri
        .authority()
        .filter(|authority| !authority.host().is_empty())
        .ok_or_else(wrong)?;
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() || authority.as_str().contains('@') {
        return Err(wrong());
    }
    let port = match authority.port_u16() {
        Some(port) => port,
        None if authority.as_str() == authority.host() => DEFAULT_PORT,
        None => return Err(wrong()),
    };
    let address = format!("{}://{}:{port}", uri.scheme_str().unwrap_or("http"), authority.host());
    Ok((address.parse().map_err(|_| wrong())?, tls))
}

/// The door of the fuzzers.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz_url(url: &str) {
    if let Ok((uri, _)) = parse_url(url) {
        assert!(uri.port_u16().is_some(), "an address without a port");
    }
}

fn headers(arguments: &ServerArguments) -> Result<MetadataMap, RemoteError> {
    let mut headers = MetadataMap::new();
    let mut add = |name: &str, value: &str| {
        let unsendable = || RemoteError::Header { name: name.to_owned() };
        let key =
            AsciiMetadataKey::from_bytes(name.trim().to_ascii_lowercase().as_bytes()).map_err(|_| unsendable())?;
        let value: AsciiMetadataValue = value.trim().parse().map_err(|_| unsendable())?;
        headers.append(key, value);
        Ok(())
    };
    if let Some(token) = &arguments.token {
        let token = match token.strip_prefix('@') {
            Some(path) => String::from_utf8(read(Path::new(path))?).map_err(|_| RemoteError::Header {
                name: "authorization".to_owned(),
            })?,
            None => token.clone(),
        };
        match &arguments.token_header {
            Some(name) => add(name, &token)?,
            None => add("authorization", &format!("Bearer {}", token.trim()))?,
        }
    }
    for header in &arguments.headers {
        let (name, value) = header
            .split_once(':')
            .ok_or_else(|| RemoteError::Header { name: header.clone() })?;
        add(name, value)?;
    }
    Ok(headers)
}

fn tls_config(arguments: &ServerArguments) -> Result<ClientTlsConfig, RemoteError> {
    let mut config = match &arguments.ca {
        Some(path) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(path)?)),
        None => ClientTlsConfig::new().trust_anchors(system_anchors()),
    };
    if let Some(name) = &arguments.server_name {
        config = config.domain_name(name);
    }
    if let (Some(certificate), Some(key)) = (&arguments.client_cert, &arguments.client_key) {
        config = config.identity(Identity::from_pem(read(certificate)?, read(key)?));
    }
    Ok(config)
}

/// The certificates that the system trusts, as far as they can be read.
fn system_anchors() -> Vec<TrustAnchor<'static>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.roots
}

fn read(path: &Path) -> Result<Vec<u8>, RemoteError> {
    fs::read(path).map_err(|source| RemoteError::File {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("grpc://localhost:1", "http://localhost:1/", false)]
    #[case("grpc+tls://sales.example.com", "https://sales.example.com:17001/", true)]
    #[case("grpcs://[::1]:5/", "https://[::1]:5/", true)]
    #[case("http://10.0.0.1", "http://10.0.0.1:17001/", false)]
    fn urls_name_a_server(#[case] url: &str, #[case] address: &str, #[case] tls: bool) {
        let (uri, is_tls) = parse_url(url).expect("a URL");
        assert_eq!((uri.to_string().as_str(), is_tls), (address, tls));
    }

    #[rstest]
    #[case("localhost:17001")]
    #[case("ftp://localhost")]
    #[case("grpc://")]
    #[case("grpc://localhost:x")]
    #[case("grpc://localhost/path")]
    #[case("grpc://user@localhost")]
    fn what_names_none_is_refused(#[case] url: &str) {
        let error = parse_url(url).expect_err("no URL");
        assert_eq!(
            error.to_string(),
            format!("'{url}' is not the URL of a server: write grpc://HOST:PORT, or grpc+tls://HOST:PORT")
        );
    }
}
