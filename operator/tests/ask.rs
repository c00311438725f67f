//! Asking real servers.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::sync::Arc;

use flexconnect_operator::ask::{Function, Question, Unfit, ask};
use flexconnect_operator::exposure::Endpoint;
use flexconnect_operator::names::Ordinal;
use flexconnect_server::arrow::array::RecordBatch;
use flexconnect_server::arrow::datatypes::{DataType, Field, Schema};
use flexconnect_server::config::{Inputs, load};
use flexconnect_server::{Output, Running, Server, from_fn};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio::net::TcpListener;

const HOST: &str = "sales-0.ns.svc";
const TOKEN: &str = "secret";

/// A server that runs, and what is needed to ask it.
struct Replica {
    server: Running,
    ca: String,
    _files: TempDir,
}

/// A certificate for some hosts, and the CA that signed it.
struct Certificate {
    ca: String,
    leaf: String,
    key: String,
}

fn certificate(hosts: &[&str]) -> Certificate {
    let ca_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = params.self_signed(&ca_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = hosts.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>();
    let issuer = Issuer::from_params(&params, &ca_key);
    let leaf = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    Certificate {
        ca: ca.pem(),
        leaf: leaf.pem(),
        key: key.serialize_pem(),
    }
}

/// Starts a server with a certificate for these hosts; without any it speaks plain text.
async fn serve(hosts: &[&str], advertised: &str) -> Replica {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let files = TempDir::new().unwrap();
    let Certificate { ca, leaf, key } = certificate(hosts);
    let path = |name: &str| files.path().join(name);
    std::fs::write(path("tls.crt"), leaf).unwrap();
    std::fs::write(path("tls.key"), key).unwrap();
    let tls = if hosts.is_empty() {
        String::new()
    } else {
        let root = files.path().display();
        format!("use_tls = true\ntls_certificate = '@{root}/tls.crt'\ntls_private_key = '@{root}/tls.key'\n")
    };
    // An address of its own, so that the port is free.
    let [a, b, c] = rand::random::<[u8; 3]>().map(|byte| byte.clamp(1, 254));
    let text = format!(
        "[server]\nlisten_host = '127.{a}.{b}.{c}'\nlisten_port = 17001\nadvertise_host = '{advertised}'\nadvertise_port = 17001\n\
         authentication_method = 'token'\n{tls}[enumerated_tokens]\ntokens = ['{TOKEN}']\n"
    );
    std::fs::write(path("flexconnect.toml"), text).unwrap();
    let inputs = Inputs {
        files: vec![path("flexconnect.toml")],
        ..Inputs::default()
    };
    let (config, _) = load(&inputs).unwrap();
    let schema = Arc::new(Schema::new(vec![
        Field::new("region", DataType::Utf8, false),
        Field::new("amount", DataType::Float64, true),
    ]));
    let empty = RecordBatch::new_empty(Arc::clone(&schema));
    let sales = from_fn("Sales", Arc::clone(&schema), move |_| {
        let (schema, empty) = (Arc::clone(&schema), empty.clone());
        async move { Ok(Output::table(schema, vec![empty])) }
    });
    let server = Server::builder().function(sales).build().start(config).await.unwrap();
    Replica {
        server,
        ca,
        _files: files,
    }
}

fn question(address: SocketAddr, ca: &str) -> Question {
    Question {
        address,
        endpoint: Endpoint {
            ordinal: Ordinal(0),
            host: HOST.to_owned(),
            port: 17001,
            tls: true,
        },
        token: Some(TOKEN.to_owned().into()),
        ca_pem: Some(ca.to_owned()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_says_what_it_serves() {
    let replica = serve(&[HOST], HOST).await;
    let expected = Function {
        name: "Sales".to_owned(),
        columns: vec!["region".to_owned(), "amount".to_owned()],
        description: None,
    };
    let question = question(replica.server.address(), &replica.ca);
    assert_eq!(ask(&question).await, Ok(vec![expected]));
    // Two certificates to trust, as while a CA is replaced.
    let both = Question {
        ca_pem: Some(format!("{}{}", certificate(&[]).ca, replica.ca)),
        ..question
    };
    assert!(ask(&both).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_need_no_names() {
    let replica = serve(&["127.0.0.1"], "127.0.0.1").await;
    let mut question = question(replica.server.address(), &replica.ca);
    question.endpoint.host = "127.0.0.1".to_owned();
    assert!(ask(&question).await.is_ok());
    question.endpoint.host = "127.0.0.2".to_owned();
    assert!(matches!(ask(&question).await, Err(Unfit::WrongCertificate { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_ca_or_for_another_host_is_wrong() {
    let replica = serve(&[HOST], HOST).await;
    let stranger = certificate(&[HOST]).ca;
    for ca in [stranger.as_str(), "", "no PEM"] {
        let answer = ask(&question(replica.server.address(), ca)).await;
        assert!(matches!(&answer, Err(Unfit::WrongCertificate { .. })), "{answer:?}");
    }
    let mut question = question(replica.server.address(), &replica.ca);
    question.endpoint.host = "sales-1.ns.svc".to_owned();
    let Err(unfit) = ask(&question).await else {
        panic!("a wrong name was accepted")
    };
    assert!(
        unfit
            .to_string()
            .starts_with("its certificate is not good for sales-1.ns.svc: "),
        "{unfit}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_refused() {
    let replica = serve(&[HOST], HOST).await;
    for token in [None, Some("wrong".to_owned().into()), Some("\u{1}".to_owned().into())] {
        let question = Question {
            token,
            ..question(replica.server.address(), &replica.ca)
        };
        assert_eq!(ask(&question).await, Err(Unfit::TokenRefused));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_sends_clients_elsewhere_is_unfit() {
    let replica = serve(&[HOST], "sales-1.ns.svc").await;
    let answer = ask(&question(replica.server.address(), &replica.ca)).await;
    let expected = Unfit::OtherLocation {
        said: "grpc+tls://sales-1.ns.svc:17001".to_owned(),
        expected: format!("grpc+tls://{HOST}:17001"),
    };
    assert_eq!(answer, Err(expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_text_is_spoken_where_it_is_asked_for() {
    let replica = serve(&[], HOST).await;
    let mut question = question(replica.server.address(), &replica.ca);
    let answer = ask(&question).await;
    assert!(answer.is_err(), "TLS with a server that speaks plain text: {answer:?}");
    question.endpoint.tls = false;
    assert_eq!(ask(&question).await.map(|functions| functions.len()), Ok(1));
}

#[tokio::test]
async fn who_hangs_up_or_talks_nonsense_cannot_be_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let refusing = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    for tls in [true, false] {
        let mut question = question(address, &certificate(&[HOST]).ca);
        question.endpoint.tls = tls;
        let answer = ask(&question).await;
        assert!(
            matches!(
                answer,
                Err(Unfit::Unreachable { .. } | Unfit::WrongCertificate { .. } | Unfit::NotServing(_))
            ),
            "{answer:?}"
        );
    }
    refusing.abort();
    let _ = refusing.await;
    let answer = ask(&question(address, "")).await;
    assert!(matches!(answer, Err(Unfit::Unreachable { .. })), "{answer:?}");
}
