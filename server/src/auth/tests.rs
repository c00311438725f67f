use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{HeaderValue, Request};
use rstest::rstest;
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;
use crate::config::Inputs;
use crate::telemetry::metrics::Format;

/// Accepts `good`, and does what other tokens say.
struct Obedient;

#[async_trait::async_trait]
impl Verifier for Obedient {
    async fn verify(&self, attempt: &Attempt<'_>) -> Result<Identity, Refusal> {
        assert!(!format!("{attempt:?}").contains("good"), "the token is not shown");
        match attempt.token {
            "good" => Ok(Identity::named("ann")),
            "method" => Ok(Identity::named(attempt.method)),
            "forbidden" => Err(FlightError::unauthorized("Not you.").into()),
            "busy" => Err(FlightError::not_ready().into()),
            "panic" => panic!("as asked"),
            _ => Err(Refusal::new(FlightError::unauthenticated("No.")).because("some reason")),
        }
    }
}

fn custom() -> TokenHeader {
    TokenHeader::Custom {
        spelling: "X-Token".to_owned(),
        name: HeaderName::from_static("x-token"),
    }
}

fn call(headers: &[(&'static str, &'static str)]) -> Parts {
    let mut call = Request::post("/service/Method").body(()).unwrap().into_parts().0;
    for (name, value) in headers {
        call.headers.append(*name, HeaderValue::from_static(value));
    }
    call
}

fn certificate() -> Arc<ClientCertificate> {
    Arc::new(ClientCertificate {
        subject: "CN=reports".to_owned(),
        common_name: Some("reports".to_owned()),
        alternative_names: Vec::new(),
        fingerprint: "00".to_owned(),
    })
}

fn nowhere() -> Origin {
    Origin::new(Inputs {
        files: Vec::new(),
        variables: BTreeMap::new(),
        machine_name: "this.machine".to_owned(),
    })
}

async fn start(authentication: Authentication, custom: Option<Arc<dyn Verifier>>) -> Result<Authenticator, AuthError> {
    let brought = Brought {
        by_program: custom,
        by_workers: None,
    };
    Authenticator::start(authentication, false, brought, nowhere(), Metrics::new()).await
}

/// Counts the log lines of callers that were refused.
#[derive(Clone, Default)]
struct LoggedFailures(Arc<AtomicUsize>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for LoggedFailures {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        if event.metadata().target() == "flexconnect_server::auth"
            && event.fields().any(|field| field.name() == "reason")
        {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test]
async fn a_flood_of_wrong_tokens_does_not_flood_the_log() {
    let logged = LoggedFailures::default();
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(logged.clone()));
    let authenticator = Authenticator::asking(Obedient, TokenHeader::Bearer);
    let started = std::time::Instant::now();
    for _ in 0..1_000 {
        authenticator
            .admit(&mut call(&[("authorization", "Bearer bad")]))
            .await
            .unwrap_err();
    }
    let seconds = usize::try_from(started.elapsed().as_secs()).unwrap() + 1;
    let logged = logged.0.load(Ordering::Relaxed);
    assert!(
        (1..=10 * (seconds + 1)).contains(&logged),
        "{logged} lines in {seconds} s"
    );
    let line = "flexconnect_authentication_failures_total{reason=\"rejected\"} 1000.0";
    assert!(authenticator.0.metrics.text(Format::Plain, &[]).contains(line));
}

#[tokio::test]
async fn the_identity_travels_with_the_call() {
    let authenticator = Authenticator::asking(Obedient, TokenHeader::Bearer);
    let mut admitted = call(&[("authorization", "Bearer method")]);
    authenticator.admit(&mut admitted).await.unwrap();
    let identity = admitted.extensions.get::<Identity>().unwrap();
    assert_eq!(identity, &Identity::named("/service/Method"));
}

#[tokio::test]
async fn a_certificate_is_there_beside_the_token() {
    let authenticator = Authenticator::asking(Obedient, TokenHeader::Bearer);
    let mut admitted = call(&[("authorization", "Bearer good")]);
    admitted.extensions.insert(certificate());
    authenticator.admit(&mut admitted).await.unwrap();
    let identity = admitted.extensions.get::<Identity>().unwrap();
    assert_eq!(identity.subject.as_deref(), Some("ann"));
    assert_eq!(identity.method, Method::Token);
    assert_eq!(identity.certificate, Some(certificate()));
}

#[tokio::test]
async fn without_tokens_the_certificate_names_the_caller() {
    let authenticator = start(Authentication::None, None).await.unwrap();
    let mut admitted = call(&[]);
    admitted.extensions.insert(certificate());
    authenticator.admit(&mut admitted).await.unwrap();
    let identity = admitted.extensions.get::<Identity>().unwrap();
    assert_eq!(identity.subject.as_deref(), Some("CN=reports"));
    assert_eq!(identity.method, Method::Certificate);
    let mut anonymous = call(&[]);
    authenticator.admit(&mut anonymous).await.unwrap();
    assert_eq!(anonymous.extensions.get::<Identity>(), Some(&Identity::default()));
}

#[rstest]
#[case("other", FlightError::unauthenticated("No."), AuthFailure::Rejected)]
#[case("forbidden", FlightError::unauthorized("Not you."), AuthFailure::Forbidden)]
#[case("busy", FlightError::not_ready(), AuthFailure::Unverifiable)]
#[tokio::test]
async fn refusals_reach_the_caller_as_they_are(
    #[case] token: &'static str,
    #[case] answer: FlightError,
    #[case] counted: AuthFailure,
) {
    let authenticator = Authenticator::asking(Obedient, custom());
    let mut refused = call(&[]);
    refused.headers.insert("x-token", HeaderValue::from_static(token));
    assert_eq!(authenticator.admit(&mut refused).await, Err(answer));
    assert!(refused.extensions.get::<Identity>().is_none());
    let (_, failure) = authenticator.0.identify(&refused).await.unwrap_err();
    assert_eq!(failure, counted);
}

#[tokio::test]
async fn a_verifier_that_panics_lets_nobody_in() {
    let authenticator = Authenticator::asking(Obedient, TokenHeader::Bearer);
    let mut refused = call(&[("authorization", "Bearer panic")]);
    let error = authenticator.admit(&mut refused).await.unwrap_err();
    assert_eq!(error.kind(), Some(FlightKind::Internal));
    assert!(!error.message().contains("as asked"), "{error}");
}

#[tokio::test]
async fn credentials_stay_outside_unless_asked_for() {
    let headers = [
        ("x-token", "good"),
        ("authorization", "Basic c2VjcmV0"),
        ("proxy-authorization", "Basic c2VjcmV0"),
        ("x-tenant", "a"),
    ];
    let mut admitted = call(&headers);
    Authenticator::asking(Obedient, custom())
        .admit(&mut admitted)
        .await
        .unwrap();
    assert_eq!(admitted.headers.keys().collect::<Vec<_>>(), ["x-tenant"]);

    let passing = Authenticator::start(
        Authentication::None,
        true,
        Brought::default(),
        nowhere(),
        Metrics::new(),
    );
    let mut admitted = call(&headers);
    passing.await.unwrap().admit(&mut admitted).await.unwrap();
    assert_eq!(admitted.headers.len(), headers.len());
}

#[tokio::test]
async fn a_verifier_and_the_configuration_must_agree() {
    let unused = start(Authentication::None, Some(Arc::new(Obedient))).await;
    assert!(matches!(unused, Err(AuthError::VerifierUnused)));
    let custom = || Authentication::Token {
        header: TokenHeader::Bearer,
        verification: TokenVerification::Custom,
    };
    assert!(matches!(start(custom(), None).await, Err(AuthError::NoVerifier)));
    let authenticator = start(custom(), Some(Arc::new(Obedient))).await.unwrap();
    authenticator
        .admit(&mut call(&[("authorization", "Bearer good")]))
        .await
        .unwrap();
    let listed = Authentication::Token {
        header: TokenHeader::Bearer,
        verification: TokenVerification::Enumerated(vec!["good".into()]),
    };
    let ignored = start(listed, Some(Arc::new(Obedient))).await;
    assert!(matches!(ignored, Err(AuthError::VerifierUnused)));
}

/// Waits until a reading of the tokens ended so.
async fn reloaded(metrics: &Metrics, outcome: &str) {
    let line = format!("flexconnect_reloads_total{{outcome=\"{outcome}\",what=\"tokens\"}} 1.0");
    let told = async {
        while !metrics.text(Format::Plain, &[]).lines().any(|it| it == line) {
            tokio::time::sleep(reload::PERIOD).await;
        }
    };
    tokio::time::timeout(reload::PERIOD * 100, told)
        .await
        .expect("the change is seen");
}

#[tokio::test(start_paused = true)]
async fn tokens_follow_their_file_while_it_is_good() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens.toml");
    let write = |tokens: &str| {
        let toml = format!("server.authentication_method = 'token'\nenumerated_tokens.tokens = {tokens}");
        std::fs::write(&file, toml).unwrap();
    };
    write("['old']");
    let inputs = Inputs {
        files: vec![file.clone()],
        variables: BTreeMap::new(),
        machine_name: "this.machine".to_owned(),
    };
    let (config, _) = crate::config::load(&inputs).unwrap();
    let metrics = Metrics::new();
    let start = Authenticator::start(
        config.server.authentication,
        false,
        Brought::default(),
        config.origin,
        metrics.clone(),
    );
    let authenticator = start.await.unwrap();
    let is_let_in = async |header| {
        authenticator
            .admit(&mut call(&[("authorization", header)]))
            .await
            .is_ok()
    };
    assert!(is_let_in("Bearer old").await);

    write("[]");
    reloaded(&metrics, "bad").await;
    assert!(is_let_in("Bearer old").await, "nobody is locked out by a mistake");
    write("['new']");
    reloaded(&metrics, "good").await;
    assert!(is_let_in("Bearer new").await);
    assert!(!is_let_in("Bearer old").await);
}
