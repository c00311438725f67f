//! `call` of the binary over TLS: whom it trusts, and what it shows of itself.

use std::path::PathBuf;
use std::process::Output;

use flexconnect_server::Running;
use tempfile::TempDir;

use super::command_line::{client_of, run, text};
use super::tls::{Authority, serve};

/// The files that a client is given.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Writes a file, and returns its path as an argument.
    fn write(&self, name: &str, content: &str) -> String {
        let path: PathBuf = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    }
}

/// What becomes of a call of `Numbers` by a client with these further arguments.
async fn call(url: &str, more: &[&str]) -> Output {
    let arguments = [&["call", "Numbers", "--format", "csv"], more].concat();
    run(client_of(url, &arguments)).await
}

fn url(host: &str, running: &Running) -> String {
    format!("grpc+tls://{host}:{}", running.address().port())
}

fn assert_rows(output: &Output) {
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stdout), "number\n1\n2\n3\n");
}

/// The call failed, without rows, in one sentence that begins like this; the rest of it is returned.
fn refusal<'a>(output: &'a Output, begin: &str) -> &'a str {
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    said.strip_prefix(begin).unwrap_or_else(|| panic!("{said}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_trusted_by_its_authority_and_name() {
    let (authority, stranger, files) = (Authority::new(), Authority::new(), Files::new());
    let running = serve(&authority, "").await;
    let known = files.write("ca.pem", &authority.pem());
    let unknown = files.write("other.pem", &stranger.pem());
    let (by_name, by_address) = (url("localhost", &running), url("127.0.0.1", &running));

    assert_rows(&call(&by_name, &["--ca", &known]).await);
    assert_rows(&call(&by_address, &["--ca", &known, "--server-name", "localhost"]).await);

    let refused = call(&by_name, &["--ca", &unknown]).await;
    let reason = refusal(&refused, &format!("error: cannot reach {by_name}: "));
    // Both have the same name, so it is the signature that does not match.
    assert!(reason.starts_with("invalid peer certificate: "), "{reason}");
    let unvouched = call(&by_name, &[]).await;
    let reason = refusal(&unvouched, &format!("error: cannot reach {by_name}: "));
    assert!(
        reason.contains("UnknownIssuer"),
        "the system does not know it: {reason}"
    );
    for (url, more) in [
        (&by_address, &["--ca", &known][..]),
        (&by_name, &["--ca", &known, "--server-name", "elsewhere"][..]),
    ] {
        let refused = call(url, more).await;
        let reason = refusal(&refused, &format!("error: cannot reach {url}: "));
        assert!(reason.contains("not valid for name"), "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_certificate_is_named() {
    let (authority, files) = (Authority::new(), Files::new());
    let running = serve(&authority, "").await;
    let url = url("localhost", &running);
    let missing = call(&url, &["--ca", "/no/such.pem"]).await;
    refusal(&missing, "error: /no/such.pem cannot be read");
    let nonsense = files.write("nonsense.pem", "no certificate");
    refusal(&call(&url, &["--ca", &nonsense]).await, "error: ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_shows_its_certificate_where_the_server_asks_for_one() {
    let (authority, clients, strangers, files) = (Authority::new(), Authority::new(), Authority::new(), Files::new());
    let root = format!("use_mtls = true\ntls_root_certificate = '''{}'''", clients.pem());
    let running = serve(&authority, &root).await;
    let (url, ca) = (url("localhost", &running), files.write("ca.pem", &authority.pem()));
    let identity = |who: &str, (certificate, key): (String, String)| {
        let (certificate, key) = (
            files.write(&format!("{who}.crt"), &certificate),
            files.write(&format!("{who}.key"), &key),
        );
        [
            "--ca".to_owned(),
            ca.clone(),
            "--client-cert".to_owned(),
            certificate,
            "--client-key".to_owned(),
            key,
        ]
    };
    let client = identity("client", clients.leaf("client"));
    assert_rows(&call(&url, &client.each_ref().map(String::as_str)).await);

    let stranger = identity("stranger", strangers.leaf("client"));
    let nobody = ["--ca", &ca];
    for refused in [
        call(&url, &stranger.each_ref().map(String::as_str)).await,
        call(&url, &nobody).await,
    ] {
        refusal(&refused, &format!("error: cannot reach {url}: "));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_shown_behind_tls_only_to_the_right_server() {
    let (authority, files) = (Authority::new(), Files::new());
    let tokens = "authentication_method = 'token'\n[enumerated_tokens]\ntokens = ['secret']";
    let running = serve(&authority, tokens).await;
    let (url, ca) = (url("localhost", &running), files.write("ca.pem", &authority.pem()));

    assert_rows(&call(&url, &["--ca", &ca, "--token", "secret"]).await);
    let wrong = call(&url, &["--ca", &ca, "--token", "wrong"]).await;
    refusal(
        &wrong,
        &format!("error: {url} answered: Authentication token is not valid"),
    );
    let missing = call(&url, &["--ca", &ca]).await;
    let answered = format!("error: {url} answered: Authentication failed because the authentication header");
    refusal(&missing, &answered);
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_text_to_a_server_with_tls_is_one_sentence() {
    let running = serve(&Authority::new(), "").await;
    let url = format!("grpc://{}", running.address());
    refusal(&call(&url, &[]).await, &format!("error: cannot reach {url}: "));
}
