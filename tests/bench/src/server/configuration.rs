//! The configuration file of a server.

use std::net::SocketAddr;
use std::path::Path;

use toml::{Table, Value};

use super::{Installation, Maker, Setup, TOKEN};

/// TOML for a server of this maker; `ports` are those of Flight, health and metrics.
pub(super) fn configuration(
    maker: Maker,
    installation: &Installation,
    setup: &Setup,
    ports: [SocketAddr; 3],
) -> String {
    let [flight, health, metrics] = ports;
    let mut server = Table::new();
    for (name, address) in [("listen", flight), ("health_check", health), ("metrics", metrics)] {
        server.insert(format!("{name}_host"), address.ip().to_string().into());
        server.insert(format!("{name}_port"), i64::from(address.port()).into());
    }
    server.insert("advertise_host".to_owned(), "localhost".into());
    server.insert("authentication_method".to_owned(), "token".into());
    server.insert("use_tls".to_owned(), setup.tls.into());
    let pem = |path: &Path| Value::from(format!("@{}", path.display()));
    server.insert("tls_certificate".to_owned(), pem(&installation.certificate.chain));
    server.insert("tls_private_key".to_owned(), pem(&installation.certificate.key));
    server.extend(setup.server.clone());
    let (mut flexconnect, mut python) = (Table::new(), Table::new());
    // A client that does not poll waits for its result all the same.
    flexconnect.insert("call_deadline_ms".to_owned(), 180_000.into());
    if let Maker::Ours | Maker::Workers = maker {
        // Nobody comes back for the results of a bench.
        server.insert("propagation_delay_sec".to_owned(), 1.into());
        server.insert("drain_timeout_sec".to_owned(), 1.into());
        server.extend(setup.ours.clone());
        flexconnect.extend(setup.flexconnect.clone());
    }
    if let Maker::Workers | Maker::Vendor = maker {
        flexconnect.insert("functions".to_owned(), vec!["bench_functions"].into());
    }
    if maker == Maker::Workers {
        let interpreter = installation.python.join("python").to_string_lossy().into_owned();
        python.insert("interpreter".to_owned(), interpreter.into());
    }
    let mut tokens = Table::new();
    tokens.insert("tokens".to_owned(), vec![TOKEN].into());
    let mut document = Table::new();
    document.insert("server".to_owned(), server.into());
    document.insert("flexconnect".to_owned(), flexconnect.into());
    document.insert("enumerated_tokens".to_owned(), tokens.into());
    if !python.is_empty() {
        document.insert("python".to_owned(), python.into());
    }
    document.to_string()
}
