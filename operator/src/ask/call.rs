//! The call itself: dials, shakes hands, lists. Everything that is read is bounded, by size and by the caller's time.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use arrow_flight::Criteria;
use arrow_flight::flight_service_client::FlightServiceClient;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint as Dialled, Uri};
use tonic::{Code, Request, Status};
use tower::service_fn;

use super::listing::Listing;
use super::{Answer, Question, Unfit};

/// The largest message that is read.
const MAX_MESSAGE: usize = 1024 * 1024;

/// The header by which servers are asked where they are, and say it.
const LOCATION: &str = "x-flexconnect-location";

/// Lists what a replica serves.
pub(super) async fn list_flights(question: &Question) -> Result<Answer, Unfit> {
    let channel = connect(question).await?;
    let mut client = FlightServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE);
    let answer = client.list_flights(request(question.token.as_ref())?).await;
    let response = match answer {
        Ok(response) => response,
        // A service of one's own need not list anything. That it answers so shows all that is asked for.
        Err(status) if status.code() == Code::Unimplemented => {
            return Ok(Answer {
                location: location(status.metadata()),
                functions: Vec::new(),
            });
        }
        Err(status) => return Err(refusal(question, &status)),
    };
    let location = location(response.metadata());
    let mut infos = response.into_inner();
    let mut listing = Listing::default();
    while let Some(info) = infos.message().await.map_err(|status| refusal(question, &status))? {
        if !listing.add(info) {
            break;
        }
    }
    Ok(Answer {
        location,
        functions: listing.functions(),
    })
}

fn request(token: Option<&SecretString>) -> Result<Request<Criteria>, Unfit> {
    let mut request = Request::new(Criteria::default());
    request.metadata_mut().insert(LOCATION, MetadataValue::from_static("?"));
    if let Some(token) = token {
        let value = format!("Bearer {}", token.expose_secret()).try_into();
        // Tokens were checked when they were read: what no header can hold never gets here.
        let value = value.map_err(|_| Unfit::TokenRefused)?;
        request.metadata_mut().insert("authorization", value);
    }
    Ok(request)
}

fn location(metadata: &tonic::metadata::MetadataMap) -> Option<String> {
    metadata.get(LOCATION)?.to_str().ok().map(str::to_owned)
}

async fn connect(question: &Question) -> Result<Channel, Unfit> {
    let address = question.address;
    let stream = TcpStream::connect(address)
        .await
        .map_err(|error| unreachable(address, &error))?;
    let host = &question.endpoint.host;
    // The authority that GoodData sends, whatever was dialled.
    let authority = match host.parse() {
        Ok(std::net::IpAddr::V6(host)) => format!("[{host}]:{}", question.endpoint.port),
        _ => format!("{host}:{}", question.endpoint.port),
    };
    if !question.endpoint.tls {
        return speak(address, &authority, "http", stream).await;
    }
    let tls = trust(question.ca_pem.as_deref().unwrap_or_default()).map_err(|reason| wrong(host, reason))?;
    let name = ServerName::try_from(host.clone()).map_err(|error| wrong(host, error.to_string()))?;
    let stream = TlsConnector::from(Arc::new(tls)).connect(name, stream).await;
    let stream = stream.map_err(|error| match tls_error(&error) {
        Some(reason) => wrong(host, reason),
        None => unreachable(address, &error),
    })?;
    speak(address, &authority, "https", stream).await
}

/// HTTP/2 over a connection that is there.
async fn speak<S>(address: SocketAddr, authority: &str, scheme: &str, stream: S) -> Result<Channel, Unfit>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let origin: Uri = format!("{scheme}://{authority}")
        .parse()
        .map_err(|error| unreachable(address, &error))?;
    let mut stream = Some(TokioIo::new(stream));
    let connector = service_fn(move |_: Uri| {
        let stream = stream
            .take()
            .ok_or_else(|| io::Error::other("the connection was closed"));
        std::future::ready(stream)
    });
    // TLS is spoken below: to tonic, every connection is plain.
    let dialled = Dialled::from_static("http://replica").origin(origin);
    let channel = dialled.connect_with_connector(connector).await;
    channel.map_err(|error| unreachable(address, &error))
}

fn trust(ca_pem: &str) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
        let certificate = certificate.map_err(|error| format!("the CA is no PEM: {error}"))?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = config
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

/// What is wrong with a certificate; None when the connection is at fault.
fn tls_error(error: &io::Error) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(error.to_string())
}

fn wrong(host: &str, reason: String) -> Unfit {
    Unfit::WrongCertificate {
        host: host.to_owned(),
        reason,
    }
}

fn unreachable(address: SocketAddr, error: &dyn std::error::Error) -> Unfit {
    let mut reason = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        reason = error.to_string();
        cause = error.source();
    }
    Unfit::Unreachable {
        address: address.to_string(),
        reason,
    }
}

/// What a refusal means. Its text may be a function's own, and stays here.
fn refusal(question: &Question, status: &Status) -> Unfit {
    match status.code() {
        Code::Unauthenticated | Code::PermissionDenied => Unfit::TokenRefused,
        Code::Unavailable => Unfit::NotServing("it starts or ends, or the connection broke".to_owned()),
        Code::OutOfRange | Code::ResourceExhausted => {
            Unfit::NotServing("its list of functions is too long, or it has too much to do".to_owned())
        }
        Code::Cancelled | Code::DeadlineExceeded => Unfit::Unreachable {
            address: question.address.to_string(),
            reason: "the call was cut off".to_owned(),
        },
        code => Unfit::NotServing(format!(
            "ListFlights ends with {code:?}; the log of the replica says more"
        )),
    }
}
