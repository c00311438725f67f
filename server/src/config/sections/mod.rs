//! The configuration with types: what the rest of the server works with. Every value has been checked.
//!
//! Each group of settings has a file: their declaration, the type they become, and how they fit together.

mod answers;
mod authentication;
mod connections;
mod drain;
mod endpoints;
mod flexconnect;
mod flexfun;
mod jwt;
mod listen;
mod python;
mod tasks;
mod telemetry;
mod tls;

use std::path::PathBuf;

pub use answers::AnswerSettings;
pub use authentication::{Authentication, TokenHeader, TokenVerification};
pub use connections::ConnectionSettings;
pub use drain::DrainSettings;
pub use flexconnect::{FlexConnectSection, FunctionLimit, FunctionLimits};
pub use jwt::{JwtSettings, KeySet};
pub use listen::HostPort;
pub use python::{Modules, Provider, PythonSection};
pub use tasks::{SpillSettings, TaskSettings};
pub use telemetry::{LogSettings, TraceExporter, TraceKeys, TraceSettings};
pub use tls::{Pem, PemText, Tls};

use super::reader::{Noted, Reader};
use super::report::Findings;
use super::setting::{Group, Section};
use super::tree::Table;

/// All sections that are ours; every other one belongs to functions.
pub(super) static SECTIONS: [Section; 6] = [
    Section {
        name: "server",
        groups: &[
            Group::new("Addresses", listen::ALL),
            Group::new("TLS", tls::ALL),
            Group::new("Authentication", authentication::ALL),
            Group::new("Calls and results", tasks::ALL),
            Group::new("Requests and answers", answers::ALL),
            Group::new("Connections", connections::ALL),
            Group::new("The end of the server", drain::ALL),
            Group::new("Health and metrics", endpoints::ALL),
            Group::new("Logs and traces", telemetry::ALL),
        ],
    },
    Section {
        name: "flexconnect",
        groups: &[Group::new("Functions", flexconnect::ALL)],
    },
    Section {
        name: "python",
        groups: &[Group::new("Functions in Python", python::ALL)],
    },
    Section {
        name: "flexfun",
        groups: &[Group::new("Functions of gooddata-flexfun", flexfun::ALL)],
    },
    Section {
        name: "enumerated_tokens",
        groups: &[Group::new("Tokens", authentication::tokens::ALL)],
    },
    Section {
        name: "jwt",
        groups: &[Group::new("JSON Web Tokens", jwt::ALL)],
    },
];

/// `[server]`
#[derive(Clone, Debug)]
pub struct ServerSection {
    /// Where Flight listens (`listen_host`, `listen_port`).
    pub listen: HostPort,
    /// What clients are told to connect to (`advertise_host`, `advertise_port`).
    pub advertise: HostPort,
    /// Whether nothing says what to advertise: it is the machine's own name, which is rarely reachable from elsewhere.
    pub advertises_own_name: bool,
    /// `advertise_file`: goes before `advertise` while it has something to say.
    pub advertise_file: Option<PathBuf>,
    /// TLS, when `use_tls` is true.
    pub tls: Option<Tls>,
    /// Who may call.
    pub authentication: Authentication,
    /// `pass_credentials`: functions see the header with the caller's credentials.
    pub pass_credentials: bool,
    /// How much runs and is kept.
    pub tasks: TaskSettings,
    /// What requests may be, and what answers say.
    pub answers: AnswerSettings,
    /// What connections may cost.
    pub connections: ConnectionSettings,
    /// How the server ends.
    pub drain: DrainSettings,
    /// Where `/live` and `/ready` answer; `None` without `health_check_host`.
    pub health: Option<HostPort>,
    /// Where metrics are; `None` without `metrics_host`.
    pub metrics: Option<HostPort>,
    /// The keys of log lines.
    pub logs: LogSettings,
    /// Where traces go; `None` when nowhere.
    pub traces: Option<TraceSettings>,
}

/// What the merged tables say, or nothing when a mistake was noted. Pure, so that every rule can be tested.
pub(super) fn resolve(
    settings: &Table,
    machine_name: &str,
    findings: &mut Findings,
) -> Result<(ServerSection, FlexConnectSection, PythonSection), Noted> {
    let (flexconnect, modules) = match flexconnect::read(&mut Reader::new(settings, "flexconnect", findings)) {
        Ok((flexconnect, modules)) => (Ok(flexconnect), modules),
        Err(noted) => (Err(noted), Vec::new()),
    };
    let flexfun = flexfun::read(&mut Reader::new(settings, "flexfun", findings));
    let named = Modules {
        flexconnect: modules,
        flexfun: flexfun.as_ref().map_or_else(|_| Vec::new(), Vec::clone),
    };
    let python = python::read(&mut Reader::new(settings, "python", findings), named);
    let means = authentication::Means {
        tokens: authentication::tokens::read(&mut Reader::new(settings, "enumerated_tokens", findings)),
        jwt: jwt::read(&mut Reader::new(settings, "jwt", findings)),
    };
    let reader = &mut Reader::new(settings, "server", findings);
    let addresses = listen::read(reader, machine_name);
    let endpoints = endpoints::read(reader, addresses.as_ref().ok().map(|addresses| &addresses.listen));
    let tls = tls::read(reader);
    let authentication = authentication::read(reader, means);
    let pass_credentials = authentication::passes_credentials(reader);
    let tasks = tasks::read(reader);
    let longest_call = match (&flexconnect, &tasks) {
        (Ok(flexconnect), Ok(tasks)) => Ok(flexconnect.longest_deadline() + tasks.result_ttl),
        (Err(noted), _) | (_, Err(noted)) => Err(*noted),
    };
    let drain = drain::read(reader, longest_call);
    let answers = answers::read(reader);
    let connections = connections::read(reader);
    let telemetry = telemetry::read(reader);

    let listen::Addresses {
        listen,
        advertise,
        advertises_own_name,
        advertise_file,
    } = addresses?;
    let endpoints::Endpoints { health, metrics } = endpoints?;
    let (logs, traces) = telemetry?;
    let server = ServerSection {
        listen,
        advertise,
        advertises_own_name,
        advertise_file,
        tls: tls?,
        authentication: authentication?,
        pass_credentials: pass_credentials?,
        tasks: tasks?,
        answers: answers?,
        connections: connections?,
        drain: drain?,
        health,
        metrics,
        logs,
        traces,
    };
    flexfun?;
    Ok((server, flexconnect?, python?))
}

#[cfg(test)]
mod tests;
