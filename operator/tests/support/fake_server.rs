//! Behaves as a server towards whoever starts it, and serves nothing: configuration, health, drain, and misbehaviour on
//! request. What it shall do wrong stands in its configuration under `[fake]`.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::signal::unix::{SignalKind, signal};
use toml::{Table, Value};

#[tokio::main]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), String> {
    let config = configuration()?;
    let fake = config
        .get("fake")
        .and_then(Value::as_table)
        .cloned()
        .unwrap_or_default();
    if let Some(message) = fake.get("fail").and_then(Value::as_str) {
        return Err(message.to_owned());
    }
    let server = config
        .get("server")
        .and_then(Value::as_table)
        .ok_or("there is no [server]")?;
    let port = |key: &str| {
        let port = server
            .get(key)
            .and_then(Value::as_integer)
            .and_then(|port| u16::try_from(port).ok());
        port.ok_or_else(|| format!("there is no {key}"))
    };
    for key in ["tls_certificate", "tls_private_key"] {
        if let Some(path) = server.get(key).and_then(Value::as_str) {
            std::fs::read(path.trim_start_matches('@')).map_err(|error| format!("{key}: {error}"))?;
        }
    }
    let _flight = TcpListener::bind(("127.0.0.1", port("listen_port")?)).map_err(|error| error.to_string())?;

    let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    let draining = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&draining);
    let status = move || {
        let status = if seen.load(Ordering::SeqCst) {
            StatusCode::INTERNAL_SERVER_ERROR
        } else {
            StatusCode::NO_CONTENT
        };
        std::future::ready(status)
    };
    let health = tokio::net::TcpListener::bind(("127.0.0.1", port("health_check_port")?));
    let health = health.await.map_err(|error| error.to_string())?;
    eprintln!("serving with {}", server.contains_key("use_tls"));
    let serve = axum::serve(health, Router::new().route("/ready", get(status)));
    tokio::spawn(async move { serve.await });

    terminate.recv().await;
    draining.store(true, Ordering::SeqCst);
    if fake.get("hang").and_then(Value::as_bool) == Some(true) {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    eprintln!("drained");
    Ok(())
}

/// The files of `start --config FILE...`, the later over the earlier.
fn configuration() -> Result<Table, String> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some("start") || arguments.next().as_deref() != Some("--config") {
        return Err("usage: fake-server start --config FILE...".to_owned());
    }
    let mut config = Table::new();
    for path in arguments.map(PathBuf::from) {
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        config.extend(text.parse::<Table>().map_err(|error| error.to_string())?);
    }
    Ok(config)
}
