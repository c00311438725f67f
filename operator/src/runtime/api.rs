//! What happens around every request to the API server: it is counted and timed, it gets a time limit, and a write is
//! only sent by who leads.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::{Method, Request, Response};
use kube::client::{Body, ClientBuilder};
use kube::{Client, Config};
use tower::{BoxError, Layer, Service};

use super::fence::Fence;
use super::metrics::Metrics;

/// The API server gets this long to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// ... and this long to answer. Watches are bounded by the watch itself.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

tokio::task_local! {
    /// The writes of the pass that runs.
    static WRITES: AtomicU64;
}

/// Runs a pass, and counts the writes to the API server that it tried, events excepted.
pub async fn counting_writes<F: Future>(pass: F) -> (F::Output, u64) {
    let counted = async {
        let output = pass.await;
        (output, WRITES.with(|writes| writes.load(Ordering::Relaxed)))
    };
    WRITES.scope(AtomicU64::new(0), counted).await
}

/// A client with limits of time, metrics, and a fence in front of its writes. What fails is not tried again here: each
/// object has a back-off of its own.
///
/// # Errors
/// When the configuration of the cluster cannot be used.
pub fn client(config: Config, fence: Fence, metrics: Metrics) -> kube::Result<Client> {
    let mut config = config;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.default_retry = false;
    Ok(ClientBuilder::try_from(config)?
        .with_layer(&ApiLayer { fence, metrics })
        .build())
}

/// Puts all of it around a service.
#[derive(Clone, Debug)]
pub struct ApiLayer {
    /// In front of writes.
    pub fence: Fence,
    /// Where requests are counted.
    pub metrics: Metrics,
}

impl<S> Layer<S> for ApiLayer {
    type Service = ApiService<S>;

    fn layer(&self, inner: S) -> ApiService<S> {
        ApiService {
            inner,
            layer: self.clone(),
        }
    }
}

/// A service with all of it around.
#[derive(Clone, Debug)]
pub struct ApiService<S> {
    inner: S,
    layer: ApiLayer,
}

impl<S, B> Service<Request<Body>> for ApiService<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let ApiLayer { fence, metrics } = self.layer.clone();
        let verb = verb(&request);
        let target = Target::of(request.uri().path());
        let (label, is_event) = (target.label(), target.resource == "events");
        let is_write = request.method() != Method::GET;
        if is_write && let Err(fenced) = fence.pass() {
            return Box::pin(async move { Err(fenced.into()) });
        }
        let answer = self.inner.call(request);
        // Polled by whoever sent the request, so this is where the pass is known.
        Box::pin(async move {
            if is_write && !is_event {
                // Requests outside of a pass are nobody's.
                let _ = WRITES.try_with(|writes| writes.fetch_add(1, Ordering::Relaxed));
            }
            let begin = Instant::now();
            let answer = match verb {
                "watch" => answer.await.map_err(Into::into),
                _ => match tokio::time::timeout(ANSWER_TIMEOUT, answer).await {
                    Ok(answer) => answer.map_err(Into::into),
                    Err(_) => Err("the API server does not answer".into()),
                },
            };
            let code = answer.as_ref().ok().map(|answer| answer.status().as_u16());
            metrics.api_answered(verb, &label, code, begin.elapsed());
            answer
        })
    }
}

/// What the request asks for, in the words of roles.
fn verb(request: &Request<Body>) -> &'static str {
    let asks = |parameter: &str| {
        let query = request.uri().query().unwrap_or_default();
        query.split('&').any(|part| part == parameter)
    };
    match *request.method() {
        Method::GET if asks("watch=true") => "watch",
        Method::GET if Target::of(request.uri().path()).has_name => "get",
        Method::GET => "list",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => "other",
    }
}

/// What a path of the API server leads to.
#[derive(Debug, PartialEq, Eq)]
struct Target<'a> {
    resource: &'a str,
    subresource: Option<&'a str>,
    has_name: bool,
}

impl<'a> Target<'a> {
    fn of(path: &'a str) -> Self {
        let nothing = Self {
            resource: "other",
            subresource: None,
            has_name: false,
        };
        let mut parts = path.trim_start_matches('/').split('/');
        match parts.next() {
            Some("api") => drop(parts.next()),
            Some("apis") => drop((parts.next(), parts.next())),
            Some(_) | None => return nothing,
        }
        let rest: Vec<&str> = parts.collect();
        match rest.as_slice() {
            ["namespaces", _, resource, name @ ..] | [resource, name @ ..] => Self {
                resource,
                subresource: name.get(1).copied(),
                has_name: !name.is_empty(),
            },
            [] => nothing,
        }
    }

    fn label(&self) -> String {
        match self.subresource {
            Some(subresource) => format!("{}/{subresource}", self.resource),
            None => self.resource.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use tower::{ServiceExt as _, service_fn};

    use super::*;

    #[rstest]
    #[case("GET", "/api/v1/namespaces/a/secrets/b", "get", "secrets")]
    #[case("GET", "/api/v1/namespaces/a/services?&labelSelector=x", "list", "services")]
    #[case("GET", "/apis/apps/v1/statefulsets?&watch=true&x=y", "watch", "statefulsets")]
    #[case("GET", "/api/v1/namespaces/a", "get", "namespaces")]
    #[case(
        "PATCH",
        "/apis/flexconnect.dev/v1alpha1/namespaces/a/flexconnectservers/b/status?",
        "patch",
        "flexconnectservers/status"
    )]
    #[case("PUT", "/apis/coordination.k8s.io/v1/namespaces/a/leases/b", "update", "leases")]
    #[case("POST", "/apis/events.k8s.io/v1/namespaces/a/events", "create", "events")]
    #[case("GET", "/version", "list", "other")]
    fn requests_are_told_in_the_words_of_roles(
        #[case] method: &str,
        #[case] uri: &str,
        #[case] expected: &str,
        #[case] resource: &str,
    ) {
        let request = Request::builder().method(method).uri(uri).body(Body::empty()).unwrap();
        assert_eq!(
            (verb(&request), Target::of(request.uri().path()).label().as_str()),
            (expected, resource)
        );
    }

    async fn send(service: &ApiService<impl Clone + Answers>, method: Method) -> Result<Response<()>, BoxError> {
        let request = Request::builder().method(method).uri("/api/v1/namespaces/a/secrets/b");
        service.clone().oneshot(request.body(Body::empty()).unwrap()).await
    }

    trait Answers:
        Service<Request<Body>, Response = Response<()>, Error = BoxError, Future: Send + 'static> + Send + 'static
    {
    }
    impl<S> Answers for S where
        S: Service<Request<Body>, Response = Response<()>, Error = BoxError, Future: Send + 'static> + Send + 'static
    {
    }

    #[tokio::test]
    async fn writes_are_counted_and_stop_at_the_fence() {
        let fence = Fence::closed();
        let layer = ApiLayer {
            fence: fence.clone(),
            metrics: Metrics::new(),
        };
        let service = layer.layer(service_fn(async |_| Ok::<_, BoxError>(Response::new(()))));
        let (answers, writes) = counting_writes(async {
            let closed = send(&service, Method::PATCH).await;
            let read = send(&service, Method::GET).await;
            fence.open_until(Instant::now() + Duration::from_secs(100));
            (closed, read, send(&service, Method::PATCH).await)
        })
        .await;
        assert!(answers.0.unwrap_err().is::<super::super::fence::Fenced>());
        assert!(answers.1.is_ok() && answers.2.is_ok());
        assert_eq!(writes, 1);
        let text = layer.metrics.text();
        assert!(
            text.contains(r#"api_request_seconds_count{code="200",resource="secrets",verb="patch"} 1"#),
            "{text}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_api_server_that_does_not_answer_is_not_waited_for() {
        let layer = ApiLayer {
            fence: Fence::default(),
            metrics: Metrics::new(),
        };
        let service = layer.layer(service_fn(async |_| {
            std::future::pending::<Result<Response<()>, BoxError>>().await
        }));
        let error = send(&service, Method::GET).await.unwrap_err();
        assert_eq!(error.to_string(), "the API server does not answer");
    }
}
