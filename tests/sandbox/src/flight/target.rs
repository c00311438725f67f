//! The address of one Flight server: `grpc://HOST:PORT` or `grpc+tls://HOST:PORT`.

use std::fmt;
use std::str::FromStr;

/// Where a Flight server is dialled, and whether with TLS.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    pub(crate) tls: bool,
    host: String,
    port: u16,
}

impl Target {
    /// The same address as HTTP clients write it.
    pub(crate) fn http_uri(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}:{}", self.host, self.port)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "grpc+tls" } else { "grpc" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, address) = text
            .split_once("://")
            .ok_or_else(|| format!("`{text}` has no scheme"))?;
        let tls = match scheme {
            "grpc" | "grpc+tcp" => false,
            "grpc+tls" => true,
            _ => return Err(format!("`{text}` starts with neither `grpc://` nor `grpc+tls://`")),
        };
        let address = address.strip_suffix('/').unwrap_or(address);
        let (host, port) = address
            .rsplit_once(':')
            .ok_or_else(|| format!("`{text}` has no port"))?;
        let port = port.parse().ok().filter(|port| *port > 0);
        let port = port.ok_or_else(|| format!("`{text}` does not end with a port number"))?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        if host.is_empty() || host.contains(['/', '@', ' ']) || (bare.is_none() && host.contains(':')) {
            return Err(format!("`{text}` has no valid host name"));
        }
        Ok(Self {
            tls,
            host: host.to_owned(),
            port,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_goodata_accepts() {
        for (text, http) in [
            ("grpc://a:1", "http://a:1"),
            ("grpc+tls://sales-0.ns.svc:17001", "https://sales-0.ns.svc:17001"),
            ("grpc+tls://[::1]:17001", "https://[::1]:17001"),
        ] {
            let target: Target = text.parse().unwrap();
            assert_eq!((target.to_string().as_str(), target.http_uri().as_str()), (text, http));
        }
        assert_eq!("grpc://a:1/".parse::<Target>().unwrap().to_string(), "grpc://a:1");
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, reason) in [
            ("a:1", "no scheme"),
            ("http://a:1", "neither"),
            ("grpc://a", "no port"),
            ("grpc://a:x", "port number"),
            ("grpc://:1", "host name"),
            ("grpc://::1:1", "host name"),
        ] {
            let error = text.parse::<Target>().unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}
