//! From the merged tables to the typed configuration. Pure: nothing is read here, so that every rule can be tested.

use std::time::Duration;

use http::HeaderName;
use secrecy::SecretString;

use super::reader::{Noted, Reader};
use super::report::Findings;
use super::sections::{
    Authentication, Config, DrainSettings, FlexConnectSection, HostPort, Pem, PemText, ServerSection, TaskSettings,
    Tls, TokenHeader,
};
use super::tree::{Node, Table, Value};

/// The longest duration that a setting may name: a year, in seconds.
const YEAR_SEC: i64 = 31_536_000;

/// Added to call deadline and result TTL for the default of `drain_timeout_sec`.
const DRAIN_MARGIN: Duration = Duration::from_secs(15);

/// The typed configuration, or nothing when a mistake was noted.
pub(super) fn resolve(settings: &Table, machine_name: &str, findings: &mut Findings) -> Option<Config> {
    let flexconnect = resolve_flexconnect(&mut Reader::new(settings, "flexconnect", findings));
    let tokens = resolve_tokens(settings, findings);
    let server = resolve_server(
        &mut Reader::new(settings, "server", findings),
        tokens,
        flexconnect,
        machine_name,
    );
    Some(Config {
        server: server.ok()?,
        flexconnect: flexconnect.ok()?,
        tables: tables_for_functions(settings),
    })
}

/// Functions see every table, without the server's own secrets.
fn tables_for_functions(settings: &Table) -> serde_json::Map<String, serde_json::Value> {
    let mut tables = settings.to_json();
    tables.shift_remove("enumerated_tokens");
    if let Some(serde_json::Value::Object(server)) = tables.get_mut("server") {
        server.shift_remove("tls_private_key");
    }
    tables
}

fn resolve_flexconnect(reader: &mut Reader<'_>) -> Result<FlexConnectSection, Noted> {
    let no_modules = match reader.node("functions").map(|node| &node.value) {
        None => Ok(()),
        Some(Value::List(modules)) if modules.is_empty() => Ok(()),
        Some(_) => {
            let problem = "Python modules are not supported by this version";
            Err(reader.refuse(
                "functions",
                problem,
                "register functions in Rust with Server::builder(), and remove it",
            ))
        }
    };
    let millis = |value: i64| Duration::from_millis(value.unsigned_abs());
    let range = || 1..=YEAR_SEC * 1000;
    let what = "a positive number of milliseconds that a call may take";
    let call_deadline = reader.integer("call_deadline_ms", range(), 180_000, what);
    let what = "a positive number of milliseconds that one polling request waits";
    let polling_interval = reader.integer("polling_interval_ms", range(), 2_000, what);
    no_modules?;
    Ok(FlexConnectSection {
        call_deadline: millis(call_deadline?),
        polling_interval: millis(polling_interval?),
    })
}

/// `enumerated_tokens.tokens`, `None` when there is none.
fn resolve_tokens(settings: &Table, findings: &mut Findings) -> Result<Option<Vec<SecretString>>, Noted> {
    let mut reader = Reader::new(settings, "enumerated_tokens", findings);
    let Some(node) = reader.node("tokens") else {
        return Ok(None);
    };
    let fix = r#"write a list of texts: tokens = ["…"], or GOODDATA_FLIGHT_ENUMERATED_TOKENS__TOKENS='["…"]'"#;
    let Value::List(items) = &node.value else {
        return Err(reader.refuse("tokens", "must be a list, and every token a text in quotes", fix));
    };
    let token = |item: &Node| match &item.value {
        // What a client sends is trimmed, so another text could never match.
        Value::Text(text) if !text.is_empty() && text.trim() == text => Some(SecretString::from(text.as_str())),
        _ => None,
    };
    match items.iter().map(token).collect::<Option<Vec<_>>>() {
        Some(tokens) => Ok(Some(tokens)),
        None => Err(reader.refuse(
            "tokens",
            "every token must be a text in quotes, without blanks around it",
            fix,
        )),
    }
}

fn resolve_server(
    reader: &mut Reader<'_>,
    tokens: Result<Option<Vec<SecretString>>, Noted>,
    flexconnect: Result<FlexConnectSection, Noted>,
    machine_name: &str,
) -> Result<ServerSection, Noted> {
    let listen_host = host(reader, "listen_host");
    let listen_port = port(reader, "listen_port", 17_001);
    let advertise_host = host(reader, "advertise_host");
    let advertise_port = port(reader, "advertise_port", listen_port.unwrap_or(17_001));
    let health_host = host(reader, "health_check_host");
    let health_port = port(reader, "health_check_port", 8_877);
    let tls = resolve_tls(reader);
    let authentication = resolve_authentication(reader, tokens);
    let tasks = resolve_tasks(reader);
    let drain = resolve_drain(reader, flexconnect, tasks);
    let log_event_key = reader.text(
        "log_event_key_name",
        "a non-empty text, the key of the event name in log lines",
    );

    let advertise_host = advertise_host?;
    Ok(ServerSection {
        listen: HostPort {
            host: listen_host?.unwrap_or_else(|| "127.0.0.1".to_owned()),
            port: listen_port?,
        },
        advertises_own_name: advertise_host.is_none(),
        advertise: HostPort {
            host: advertise_host.unwrap_or_else(|| machine_name.to_owned()),
            port: advertise_port?,
        },
        tls: tls?,
        authentication: authentication?,
        tasks: tasks?,
        drain: drain?,
        health: match (health_host?, health_port?) {
            (Some(host), port) => Some(HostPort { host, port }),
            (None, _) => None,
        },
        log_event_key: log_event_key?.unwrap_or_else(|| "event".to_owned()),
    })
}

/// A host name or IP address; brackets around an IPv6 address are taken off.
fn host(reader: &mut Reader<'_>, setting: &str) -> Result<Option<String>, Noted> {
    const WHAT: &str = "an IP address or hostname";
    let Some(host) = reader.text(setting, WHAT)? else {
        return Ok(None);
    };
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(&host);
    let is_address = bare.parse::<std::net::IpAddr>().is_ok();
    let is_name = host
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    if is_address || is_name {
        return Ok(Some(bare.to_owned()));
    }
    Err(reader.refuse(
        setting,
        format!("must be {WHAT}"),
        "write it without scheme, port or path",
    ))
}

fn port(reader: &mut Reader<'_>, setting: &str, default: u16) -> Result<u16, Noted> {
    let port = reader.integer(setting, 1..=65_535, i64::from(default), "a valid port number")?;
    u16::try_from(port).map_err(|_| Noted)
}

fn resolve_tls(reader: &mut Reader<'_>) -> Result<Option<Tls>, Noted> {
    let (encrypted, mutual) = (reader.flag("use_tls"), reader.flag("use_mtls"));
    let certificate = pem(reader, "server.tls_certificate");
    let private_key = pem(reader, "server.tls_private_key");
    let root = pem(reader, "server.tls_root_certificate");
    let (encrypted, mutual) = (encrypted?, mutual?);
    if !encrypted {
        if mutual {
            let problem = "clients cannot be asked for certificates on a plain-text port";
            return Err(reader.refuse("use_mtls", problem, "set use_tls = true, or use_mtls = false"));
        }
        if certificate?.is_some() {
            reader.warn("tls_certificate", "has no effect while use_tls is false");
        }
        return Ok(None);
    }
    let required = |reader: &mut Reader<'_>, pem: Result<Option<Pem>, Noted>, setting: &str, because: &str| {
        pem?.ok_or_else(|| {
            let fix = format!("set {setting} to '@/path/of/the/file' or to the PEM text");
            reader.refuse(setting, format!("is missing although {because}"), fix)
        })
    };
    let certificate = required(reader, certificate, "tls_certificate", "use_tls is true");
    let private_key = required(reader, private_key, "tls_private_key", "use_tls is true");
    let client_authority = if mutual {
        required(reader, root, "tls_root_certificate", "use_mtls is true").map(Some)
    } else {
        root.map(|root| {
            if root.is_some() {
                reader.warn("tls_root_certificate", "has no effect while use_mtls is false");
            }
            None
        })
    };
    Ok(Some(Tls {
        certificate: certificate?,
        private_key: private_key?,
        client_authority: client_authority?,
    }))
}

/// PEM text, or `@path`. The key is the full one.
fn pem(reader: &mut Reader<'_>, key: &'static str) -> Result<Option<Pem>, Noted> {
    let setting = key.strip_prefix("server.").unwrap_or(key);
    let Some(value) = reader.text(setting, "PEM text, or '@' and the path of a file with it")? else {
        return Ok(None);
    };
    let text = match value.strip_prefix('@') {
        Some("") => return Err(reader.refuse(setting, "has no path after '@'", "write '@/path/of/the/file'")),
        Some(path) => PemText::File(path.into()),
        None if value.contains("-----BEGIN") => PemText::Inline(SecretString::from(value)),
        None => {
            let problem = "is neither PEM text nor '@' and the path of a file with it";
            return Err(reader.refuse(setting, problem, "put '@' before a path: '@/path/of/the/file'"));
        }
    };
    Ok(Some(Pem {
        key,
        source: reader.source(setting),
        text,
    }))
}

fn resolve_authentication(
    reader: &mut Reader<'_>,
    tokens: Result<Option<Vec<SecretString>>, Noted>,
) -> Result<Authentication, Noted> {
    let method = reader.text("authentication_method", "one of none, token");
    let header = token_header(reader);
    let verification = match reader.text("token_verification", "the name of a token verification") {
        Ok(Some(name)) if name != "EnumeratedTokenVerification" => {
            let problem = "this version verifies tokens only by EnumeratedTokenVerification";
            Err(reader.refuse(
                "token_verification",
                problem,
                "remove the setting, and list tokens in enumerated_tokens",
            ))
        }
        Ok(_) => Ok(()),
        Err(noted) => Err(noted),
    };
    match method?.as_deref() {
        None | Some("none") => {
            if tokens?.is_some() {
                reader.warn(
                    "authentication_method",
                    "is none: calls are accepted without the tokens that are listed",
                );
            }
            header.and(verification).map(|()| Authentication::None)
        }
        Some("token") => {
            let tokens = tokens?.filter(|tokens| !tokens.is_empty()).ok_or_else(|| {
                let problem = "is token, and there is no token in enumerated_tokens.tokens";
                let fix = r#"list them: GOODDATA_FLIGHT_ENUMERATED_TOKENS__TOKENS='["…"]'"#;
                reader.refuse("authentication_method", problem, fix)
            });
            verification?;
            Ok(Authentication::Token {
                header: header?,
                tokens: tokens?,
            })
        }
        Some(_) => Err(reader.refuse(
            "authentication_method",
            "must be one of none, token",
            "write it in lower case",
        )),
    }
}

fn token_header(reader: &mut Reader<'_>) -> Result<TokenHeader, Noted> {
    let Some(spelling) = reader.text("token_header_name", "a non-empty name of a header")? else {
        return Ok(TokenHeader::Bearer);
    };
    match HeaderName::from_bytes(spelling.as_bytes()) {
        Ok(name) if !name.as_str().ends_with("-bin") => Ok(TokenHeader::Custom { spelling, name }),
        _ => {
            let fix = "use letters, digits and dashes, and no ending in -bin, which gRPC keeps for bytes";
            Err(reader.refuse("token_header_name", "is not the name of a text header", fix))
        }
    }
}

fn resolve_tasks(reader: &mut Reader<'_>) -> Result<TaskSettings, Noted> {
    let threads = reader.integer(
        "task_threads",
        1..=10_000,
        32,
        "a positive number of calls that run at a time",
    );
    let queue_limit = reader.integer(
        "task_queue_limit",
        1..=1_000_000,
        1_024,
        "a positive number of calls that wait",
    );
    let ttl = reader.integer("task_result_ttl_sec", 1..=YEAR_SEC, 60, "a positive number of seconds");
    let bytes = reader.integer("task_result_bytes", 1..=i64::MAX, 1 << 30, "a positive number of bytes");
    let count = |value: i64| usize::try_from(value).map_err(|_| Noted);
    Ok(TaskSettings {
        threads: count(threads?)?,
        queue_limit: count(queue_limit?)?,
        result_ttl: seconds(ttl?),
        result_bytes: bytes?.unsigned_abs(),
    })
}

fn resolve_drain(
    reader: &mut Reader<'_>,
    flexconnect: Result<FlexConnectSection, Noted>,
    tasks: Result<TaskSettings, Noted>,
) -> Result<DrainSettings, Noted> {
    let what = "a number of seconds";
    let lame_duck = reader.integer("lame_duck_sec", 0..=YEAR_SEC, 60, what);
    let propagation_delay = reader.integer("propagation_delay_sec", 0..=YEAR_SEC, 5, what);
    let timeout = reader.integer("drain_timeout_sec", 0..=YEAR_SEC, -1, what);
    let (lame_duck, propagation_delay, timeout) = (lame_duck?, propagation_delay?, timeout?);
    if propagation_delay > lame_duck && reader.node("propagation_delay_sec").is_some() {
        let fix = format!("write at most {lame_duck}, or raise lame_duck_sec");
        return Err(reader.refuse("propagation_delay_sec", "must not be longer than lame_duck_sec", fix));
    }
    let longest_call = flexconnect?.call_deadline + tasks?.result_ttl;
    let timeout = if timeout < 0 {
        longest_call + DRAIN_MARGIN
    } else {
        seconds(timeout)
    };
    if timeout < longest_call {
        let text = "is shorter than call deadline and result TTL together: a drain may cut calls off";
        reader.warn("drain_timeout_sec", text);
    }
    Ok(DrainSettings {
        lame_duck: seconds(lame_duck),
        propagation_delay: seconds(propagation_delay),
        timeout,
    })
}

fn seconds(value: i64) -> Duration {
    Duration::from_secs(value.unsigned_abs())
}

#[cfg(test)]
mod tests;
