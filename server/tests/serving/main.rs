//! A whole server on real sockets: calls, tokens, TLS, health, the drain, and the binary itself.

#[cfg(test)]
mod authentication;
#[cfg(test)]
mod binary;
#[cfg(test)]
mod calls;
#[cfg(test)]
mod command_line;
#[cfg(test)]
mod command_line_on_a_terminal;
#[cfg(test)]
mod command_line_over_tls;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod functions;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod health;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod idle;
#[cfg(test)]
mod methods;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod services;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod wire;
