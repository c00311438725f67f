//! Keys that an issuer publishes, and what becomes of them when it changes them, fails, or is slow.

use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::*;

/// An issuer that publishes keys on this machine.
#[derive(Clone)]
struct Issuer {
    keys: Arc<std::sync::Mutex<String>>,
    status: Arc<AtomicU16>,
    asked: Arc<AtomicUsize>,
    /// How often it answers yet.
    answers: Arc<Semaphore>,
    place: Place,
}

impl Issuer {
    async fn new(keys: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let issuer = Self {
            keys: Arc::new(std::sync::Mutex::new(keys)),
            status: Arc::new(AtomicU16::new(200)),
            asked: Arc::default(),
            answers: Arc::new(Semaphore::new(1_000)),
            place: Place::Url(url.parse().unwrap()),
        };
        let answering = issuer.clone();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 4_096];
                let _ = stream.read(&mut request).await;
                answering.asked.fetch_add(1, Ordering::SeqCst);
                answering.answers.acquire().await.unwrap().forget();
                let (status, keys) = (
                    answering.status.load(Ordering::SeqCst),
                    answering.keys.lock().unwrap().clone(),
                );
                let answer = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{keys}",
                    keys.len()
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        issuer
    }

    /// A verifier that asks this issuer.
    async fn verifier(&self) -> JwtVerifier {
        JwtVerifier::start(&settings(self.place.clone()), Metrics::new())
            .await
            .unwrap()
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn publish(&self, keys: &[Jwk]) {
        *self.keys.lock().unwrap() = set(keys);
    }
}

#[tokio::test]
async fn a_new_key_makes_the_server_look_again_once() {
    let (old, new) = (
        Signer::new(Algorithm::ES256, "old"),
        Signer::new(Algorithm::ES256, "new"),
    );
    let issuer = Issuer::new(set(&[old.public()])).await;
    let verifier = issuer.verifier().await;
    verifier.keys.forget_when().await;
    issuer.publish(&[old.public(), new.public()]);
    let token = new.sign(&claims(json!({})));
    let callers = futures::future::join_all((0..20).map(|_| verifier.identify(&token))).await;
    assert!(callers.iter().all(Result::is_ok));
    assert_eq!(
        issuer.asked(),
        2,
        "one reading at the start, one for all callers together"
    );

    let unknown = Signer::new(Algorithm::ES256, "unknown").sign(&claims(json!({})));
    for _ in 0..5 {
        assert_eq!(verifier.identify(&unknown).await.unwrap_err(), Reject::UnknownKey);
    }
    assert_eq!(issuer.asked(), 2, "a flood of unknown keys does not reach the issuer");
}

#[tokio::test]
async fn callers_that_leave_do_not_have_the_issuer_asked_again() {
    let signer = Signer::new(Algorithm::ES256, "one");
    let issuer = Issuer::new(set(&[signer.public()])).await;
    let verifier = issuer.verifier().await;
    verifier.keys.forget_when().await;
    issuer.answers.forget_permits(1_000);
    let unknown = Signer::new(Algorithm::ES256, "unknown").sign(&claims(json!({})));
    let leave = async |asked: usize| {
        let asking = verifier.identify(&unknown);
        let left = async {
            while issuer.asked() < asked {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            outcome = asking => panic!("the issuer does not answer: {outcome:?}"),
            () = left => {}
        }
    };
    for _ in 0..3 {
        tokio::time::timeout(Duration::from_secs(20), leave(2)).await.unwrap();
    }
    issuer.answers.add_permits(1_000);
    assert_eq!(verifier.identify(&unknown).await.unwrap_err(), Reject::UnknownKey);
    assert_eq!(
        issuer.asked(),
        2,
        "one reading at the start, one for all who came and left"
    );
}

#[tokio::test]
async fn a_known_token_is_not_known_to_other_keys() {
    let (old, new) = (
        Signer::new(Algorithm::ES256, "old"),
        Signer::new(Algorithm::ES256, "new"),
    );
    let issuer = Issuer::new(set(&[old.public()])).await;
    let verifier = issuer.verifier().await;
    let token = old.sign(&claims(json!({})));
    let first = verifier.identify(&token).await.unwrap();
    assert_eq!(verifier.identify(&token).await.unwrap(), first);
    assert_eq!(format!("{:?}", verifier.known), "KnownTokens(1 tokens)");
    issuer.publish(&[new.public()]);
    verifier.keys.forget_when().await;
    verifier.keys.look_again().await;
    assert_eq!(verifier.identify(&token).await.unwrap_err(), Reject::UnknownKey);
}

#[tokio::test]
async fn a_token_in_its_leeway_is_good_and_not_kept() {
    let signer = Signer::new(Algorithm::ES256, "one");
    let verifier = verifier(&set(&[signer.public()])).await;
    let token = signer.sign(&claims(expired_within_the_leeway()));
    for _ in 0..2 {
        assert!(verifier.identify(&token).await.is_ok());
        let late = verifier
            .known
            .find(&token, &verifier.keys.current().unwrap(), get_current_timestamp());
        assert_eq!(late, None);
    }
}

#[tokio::test]
async fn known_keys_hold_while_the_issuer_fails() {
    let signer = Signer::new(Algorithm::ES256, "one");
    let issuer = Issuer::new(set(&[signer.public()])).await;
    let verifier = issuer.verifier().await;
    issuer.status.store(503, Ordering::SeqCst);
    verifier.keys.forget_when().await;
    verifier.keys.look_again().await;
    assert_eq!(issuer.asked(), 2);
    assert!(verifier.identify(&signer.sign(&claims(json!({})))).await.is_ok());
}

#[tokio::test]
async fn an_issuer_that_fails_at_the_start_is_asked_again() {
    let signer = Signer::new(Algorithm::ES256, "one");
    let issuer = Issuer::new(set(&[signer.public()])).await;
    issuer.status.store(503, Ordering::SeqCst);
    let verifier = issuer.verifier().await;
    let token = signer.sign(&claims(json!({})));
    assert_eq!(verifier.identify(&token).await.unwrap_err(), Reject::NoKeys);
    issuer.status.store(200, Ordering::SeqCst);
    verifier.keys.forget_when().await;
    verifier.keys.look_again().await;
    assert!(verifier.identify(&token).await.is_ok());
}

#[tokio::test]
async fn keys_that_never_end_are_not_read_to_the_end() {
    let issuer = Issuer::new("x".repeat(2 << 20)).await;
    let verifier = issuer.verifier().await;
    assert_eq!(
        verifier
            .identify(&Signer::new(Algorithm::ES256, "one").sign(&claims(json!({}))))
            .await
            .unwrap_err(),
        Reject::NoKeys
    );
}
