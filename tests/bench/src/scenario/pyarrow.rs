//! What a client in Python gets out of both servers: pyarrow decodes every batch.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::json;

use crate::figure::{Better, Figure, Goal};
use crate::lab::Lab;
use crate::plan::Stage;
use crate::server::{Maker, Server, TOKEN};

/// One figure: what is done, by how many threads, and what is asked of it plain and through TLS.
struct Case {
    name: &'static str,
    work: &'static str,
    threads: u32,
    plain: Goal,
    tls: Goal,
}

const CASES: [Case; 3] = [
    Case {
        name: "wide, 1 thread",
        work: "wide",
        threads: 1,
        plain: Goal::at(1.26),
        tls: Goal::at(1.5).or(1.14),
    },
    Case {
        name: "wide, 4 threads",
        work: "wide",
        threads: 4,
        plain: Goal::at(1.21),
        tls: Goal::at(1.28).or(1.21),
    },
    Case {
        name: "tiny c=4",
        work: "tiny",
        threads: 4,
        plain: Goal::at(10.0).or(9.6),
        tls: Goal::at(9.0).or(6.4),
    },
];

/// The rates of one request.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Rates {
    calls_per_second: f64,
    bytes_per_second: f64,
}

pub(super) fn run(lab: &Lab) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for stage in [Stage::Bulk, Stage::BulkTls] {
        let mut sides = Vec::new();
        for maker in Maker::BOTH {
            let server = lab.start(maker, &stage.setup())?;
            let client = Client::start(lab, &server, stage.tls())?;
            sides.push((server, client));
        }
        for case in &CASES {
            let mut measured = [Vec::new(), Vec::new()];
            for repetition in 0..lab.repetitions {
                for turn in 0..sides.len() {
                    let which = (turn + repetition) % sides.len();
                    let (_, client) = &mut sides[which];
                    measured[which].push(client.ask(case, lab.choose(1.5, 0.3))?);
                }
            }
            figures.push(figure(case, stage, &measured));
        }
    }
    Ok(figures)
}

fn figure(case: &Case, stage: Stage, [ours, vendor]: &[Vec<Rates>; 2]) -> Figure {
    let (unit, value): (_, fn(&Rates) -> f64) = match case.work {
        "wide" => ("MB/s", |rates| rates.bytes_per_second / 1e6),
        _ => ("calls/s", |rates| rates.calls_per_second),
    };
    let values = |rates: &[Rates]| rates.iter().map(value).collect::<Vec<_>>();
    let (transport, goal) = if stage.tls() {
        (" TLS", case.tls)
    } else {
        ("", case.plain)
    };
    let name = format!("pyarrow client{transport}: {}", case.name);
    Figure::paired(
        name,
        unit,
        Better::Higher,
        (&values(ours), &values(vendor)),
        "vendor",
        Some(goal),
    )
}

/// A Python process with a client of one server. Dropping it ends the process.
struct Client {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Client {
    fn start(lab: &Lab, server: &Server, tls: bool) -> anyhow::Result<Self> {
        let installation = &lab.installation;
        let mut command = Command::new(installation.python.join("python"));
        let scheme = if tls { "grpc+tls" } else { "grpc" };
        command.arg(installation.functions.join("pyarrow_client.py"));
        command
            .arg(format!("{scheme}://localhost:{}", server.target.address.port()))
            .arg(TOKEN);
        if tls {
            command.arg("--authority").arg(&installation.certificate.chain);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run the pyarrow client")?;
        let requests = child.stdin.take().context("the pyarrow client has no input")?;
        let answers = BufReader::new(child.stdout.take().context("the pyarrow client has no output")?);
        Ok(Self {
            child,
            requests,
            answers,
        })
    }

    fn ask(&mut self, case: &Case, seconds: f64) -> anyhow::Result<Rates> {
        writeln!(
            self.requests,
            "{}",
            json!({"work": case.work, "threads": case.threads, "seconds": seconds})
        )?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        serde_json::from_str(&line).context("the pyarrow client failed; what it said is above")
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
