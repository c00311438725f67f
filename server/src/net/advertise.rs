//! Where clients are told to fetch results: from the settings, or from a file that may come and change while the server runs.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::config::{HostPort, ServerSection};
use crate::reload;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::Reloaded;

/// The server's location as it is at the moment. Clones share it.
#[derive(Clone, Debug)]
pub struct Advertised(Arc<ArcSwap<String>>);

/// What is wrong with the file that tells the location: it would be ignored, so nothing stops the start.
pub(crate) fn check(server: &ServerSection) -> Option<String> {
    let place = Place::of(server);
    let problem = place.read().err()?;
    let file = place.file?;
    Some(format!(
        "server.advertise_file, {}, would be ignored, and the settings hold: {problem}",
        file.display()
    ))
}

impl Advertised {
    /// What the settings say, or the file in its place when it is there by now. The future follows the file for as long as
    /// it is polled.
    pub(crate) fn open(server: &ServerSection, metrics: Metrics) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let place = Place::of(server);
        let now = place.read();
        let advertised = Self(Arc::new(ArcSwap::from_pointee(place.tell(&now))));
        let told = advertised.clone();
        let followed = place.clone();
        let following = async move {
            if followed.file.is_none() {
                return;
            }
            reload::follow(
                now,
                move || followed.read(),
                move |now| {
                    let location = place.tell(now);
                    tracing::info!(client_url = location, "advertise_changed");
                    metrics.reloaded(Reloaded::Advertised, now.is_ok());
                    told.0.store(Arc::new(location));
                },
            )
            .await;
        };
        (advertised, following)
    }

    /// The location for a `FlightInfo`: `grpc://host:port`, with TLS `grpc+tls://host:port`.
    #[must_use]
    pub fn location(&self) -> String {
        String::clone(&self.0.load())
    }
}

#[derive(Clone)]
struct Place {
    settings: HostPort,
    file: Option<PathBuf>,
    tls: bool,
}

impl Place {
    fn of(server: &ServerSection) -> Self {
        Self {
            settings: server.advertise.clone(),
            file: server.advertise_file.clone(),
            tls: server.tls.is_some(),
        }
    }

    /// What the file says: nothing while there is none or it is empty.
    fn read(&self) -> Result<Option<HostPort>, String> {
        let Some(file) = &self.file else {
            return Ok(None);
        };
        match fs::read_to_string(file) {
            Ok(text) => parse(&text, self.settings.port),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("it cannot be read: {error}")),
        }
    }

    /// The location that follows, and a line in the log when the file is of no use.
    fn tell(&self, file: &Result<Option<HostPort>, String>) -> String {
        let address = match file {
            Ok(address) => address.as_ref(),
            Err(problem) => {
                let advice = "the settings hold; write HOST or HOST:PORT";
                tracing::warn!(file = ?self.file, problem, advice, "advertise_file_ignored");
                None
            }
        };
        super::location(address.unwrap_or(&self.settings), self.tls)
    }
}

/// `HOST` or `HOST:PORT`, an IPv6 address in brackets when a port follows. Blanks around are taken off.
fn parse(text: &str, default_port: u16) -> Result<Option<HostPort>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let (host, port) = if let Some(bracketed) = text.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']').ok_or("a bracket is not closed")?;
        match rest.strip_prefix(':') {
            None if !rest.is_empty() => return Err("something but a port follows the bracket".to_owned()),
            port => (host, port),
        }
    } else if text.parse::<std::net::Ipv6Addr>().is_ok() {
        (text, None)
    } else {
        text.split_once(':')
            .map_or((text, None), |(host, port)| (host, Some(port)))
    };
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    let of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if !is_address && (host.is_empty() || !host.chars().all(of_name)) {
        return Err("it holds no host name or IP address".to_owned());
    }
    let port = match port {
        None => default_port,
        Some(port) => match port.parse() {
            Ok(0) | Err(_) => return Err("its port is no number from 1 to 65535".to_owned()),
            Ok(port) => port,
        },
    };
    Ok(Some(HostPort {
        host: host.to_owned(),
        port,
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("sales.example.com\n", "sales.example.com:17001")]
    #[case(" sales:443 ", "sales:443")]
    #[case("10.0.0.7:1", "10.0.0.7:1")]
    #[case("::1", "[::1]:17001")]
    #[case("[::1]:65535", "[::1]:65535")]
    #[case("[::1]", "[::1]:17001")]
    fn hosts_with_and_without_ports(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(parse(text, 17_001).unwrap().unwrap().to_string(), expected);
    }

    #[rstest]
    #[case("grpc://sales:443")]
    #[case("sales:0")]
    #[case("sales:65536")]
    #[case("sales:")]
    #[case(":443")]
    #[case("two names")]
    #[case("[::1:443")]
    #[case("[::1]443x")]
    fn anything_else_is_told(#[case] text: &str) {
        assert!(parse(text, 17_001).is_err(), "{text}");
    }

    #[test]
    fn an_empty_file_says_nothing() {
        assert_eq!(parse(" \n", 17_001), Ok(None));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_told(text in ".*") {
            if let Ok(Some(address)) = parse(&text, 17_001) {
                prop_assert_eq!(parse(&address.to_string(), 1), Ok(Some(address)));
            }
        }
    }

    fn place(file: &std::path::Path) -> Place {
        Place {
            settings: HostPort {
                host: "settings".to_owned(),
                port: 17_001,
            },
            file: Some(file.to_owned()),
            tls: false,
        }
    }

    #[test]
    fn the_file_goes_before_the_settings() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("address");
        let place = place(&file);
        assert_eq!(place.tell(&place.read()), "grpc://settings:17001");
        fs::write(&file, "outside:443").unwrap();
        assert_eq!(place.tell(&place.read()), "grpc://outside:443");
        fs::write(&file, "not a name").unwrap();
        assert_eq!(place.tell(&place.read()), "grpc://settings:17001");
    }
}
