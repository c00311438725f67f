//! Functions in Python, served by the binary, with the processes that run them killed in every way.

#[cfg(test)]
mod bad_input;
#[cfg(test)]
#[path = "../traces/collector.rs"]
#[expect(dead_code, reason = "shared with the tests of traces, which use more of it")]
mod collector;
#[cfg(test)]
mod containers;
#[cfg(test)]
mod elsewhere;
#[cfg(test)]
mod ends;
#[cfg(test)]
mod flexfun;
#[cfg(test)]
mod harm;
#[cfg(test)]
#[path = "../serving/harness.rs"]
#[expect(dead_code, reason = "shared with the tests of serving, which use more of it")]
mod harness;
#[cfg(test)]
mod hosted;
#[cfg(test)]
mod loading;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod methods;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod results;
#[cfg(test)]
mod started;
#[cfg(test)]
mod tokens;
