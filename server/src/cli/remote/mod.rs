//! A server elsewhere, as the command line speaks with it.

mod call;
mod connect;
mod failure;
mod list;
mod rows;

use std::path::PathBuf;

use clap::Args;

pub(super) use call::{Reply, Waiting, call};
pub(super) use connect::{Connection, connect};
pub(super) use failure::RemoteError;
pub(super) use list::{Listed, list};
#[cfg(feature = "fuzzing")]
pub(crate) use {connect::fuzz_url, failure::fuzz_answer, rows::fuzz_rows};

/// Which server, and who asks.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "A server elsewhere")]
pub(super) struct ServerArguments {
    /// Ask this server instead of running the function here: grpc://HOST:PORT, or grpc+tls://HOST:PORT.
    #[arg(long, env = "FLEXCONNECT_URL", value_name = "URL")]
    pub(super) url: Option<String>,
    /// The token to show to that server, or `@` and the path of a file with one.
    // It does not require the URL: the variable may be set for good, and functions be run here all the same.
    #[arg(long, env = "FLEXCONNECT_TOKEN", hide_env_values = true, value_name = "TOKEN|@FILE")]
    token: Option<String>,
    /// The header that takes the token, where it is not `authorization: Bearer`.
    #[arg(long, value_name = "NAME", requires = "token")]
    token_header: Option<String>,
    /// Trust the certificates in this PEM file instead of the system's.
    #[arg(long, value_name = "FILE", requires = "url")]
    ca: Option<PathBuf>,
    /// The name that the server's certificate must have, where it is not the host of the URL.
    #[arg(long, value_name = "NAME", requires = "url")]
    server_name: Option<String>,
    /// Show this certificate, a PEM file.
    #[arg(long, value_name = "FILE", requires = "url", requires = "client_key")]
    client_cert: Option<PathBuf>,
    /// The key of that certificate, a PEM file.
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    client_key: Option<PathBuf>,
    /// Send this header too.
    #[arg(long = "header", value_name = "NAME:VALUE", requires = "url")]
    headers: Vec<String>,
}
