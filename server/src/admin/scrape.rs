//! The metrics port, for Prometheus.

use ::http::{HeaderValue, Method, Request, StatusCode, header};
use hyper::body::Incoming;
use tokio::net::TcpListener;

use super::endpoint::{Admin, Answer, Endpoint, content, empty};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::Format;

/// What may be asked; the original knows nothing else either.
const METHODS: HeaderValue = HeaderValue::from_static("OPTIONS,GET");

/// Serves the metrics port from now on.
///
/// # Errors
/// When the listener cannot be served.
pub(super) fn serve(admin: &Admin, listener: TcpListener, metrics: Metrics) -> std::io::Result<()> {
    admin.serve(listener, metrics)
}

/// Every path shows the metrics, but for the one that browsers ask for by themselves.
impl Endpoint for Metrics {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        match (request.method(), request.uri().path()) {
            (&Method::OPTIONS, _) => allowing(StatusCode::OK),
            (&Method::GET, "/favicon.ico") => empty(StatusCode::OK),
            (&Method::GET, _) => {
                let accept = request
                    .headers()
                    .get(header::ACCEPT)
                    .and_then(|accept| accept.to_str().ok());
                let format = Format::accepted(accept.unwrap_or_default());
                self.refresh().await;
                let text = self.text(format, &names(request.uri().query().unwrap_or_default()));
                content(StatusCode::OK, format.content_type(), text)
            }
            _ => allowing(StatusCode::METHOD_NOT_ALLOWED),
        }
    }
}

fn allowing(status: StatusCode) -> Answer {
    let mut answer = empty(status);
    answer.headers_mut().insert(header::ALLOW, METHODS);
    answer
}

/// The names asked for by `name[]=a&name[]=b`, escaped or not. Names need no escaping themselves.
fn names(query: &str) -> Vec<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let names = pairs.filter(|(key, _)| matches!(*key, "name[]" | "name%5B%5D" | "name%5b%5d"));
    names.map(|(_, name)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_from_the_query() {
        assert_eq!(names("name[]=a&other=x&name%5B%5D=b"), ["a", "b"]);
        assert!(names("").is_empty());
    }
}
