//! Measures the server beside the vendor's Python server and beside the limits of the machine, in one run.

mod certificate;
mod cli;
mod client;
mod duel;
mod figure;
mod lab;
mod limits;
mod load;
mod machine;
mod plan;
mod progress;
mod report;
mod sample;
mod scenario;
mod server;

use std::collections::BTreeSet;
use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Parser as _;

use cli::{Cli, Command, Part, Programs, Run, Soak};
use figure::{Better, Figure};
use lab::{Effort, Lab};
use plan::Row;
use progress::Progress;
use report::{Facts, Report};
use scenario::Scenario;
use server::Installation;

/// The group of the limit that no server is compared with.
const COPY: &str = "memcpy";

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Run(run) => measure(&run),
        Command::Soak(arguments) => soak(&arguments),
        Command::List => {
            println!("{}", groups().into_iter().collect::<Vec<_>>().join("\n"));
            Ok(())
        }
        Command::Echo => limits::serve_echo(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("flexconnect-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn groups() -> BTreeSet<&'static str> {
    let rows = plan::rows(machine::cores()).into_iter().map(|row| row.group);
    rows.chain(scenario::ALL.iter().map(|scenario| scenario.group))
        .chain([COPY])
        .collect()
}

fn measure(run: &Run) -> anyhow::Result<()> {
    let known = groups();
    if let Some(unknown) = run.rows.iter().find(|name| !known.contains(name.as_str())) {
        bail!("there is no group '{unknown}': `flexconnect-bench list` tells them");
    }
    let chosen = |group: &str| {
        run.part.is_none_or(|part| Part::of(group) == part)
            && (run.rows.is_empty() || run.rows.iter().any(|name| name == group))
    };
    let rows: Vec<_> = plan::rows(machine::cores())
        .into_iter()
        .filter(|row| chosen(row.group))
        .collect();
    let scenarios: Vec<_> = scenario::ALL
        .iter()
        .filter(|scenario| chosen(scenario.group))
        .copied()
        .collect();
    let repetitions = run.repetitions.unwrap_or(if run.quick { 2 } else { 5 }).max(1);
    let facts = Facts::gather(&run.programs.python, repetitions);
    let folder = tempfile::tempdir()?;
    let lab = Lab {
        installation: install(&run.programs, &folder)?,
        effort: if run.quick { Effort::Quick } else { Effort::Full },
        repetitions,
        progress: Progress::of(rows.len() + scenarios.len())?,
    };
    let mut figures = Vec::new();
    let failures = all(&lab, &rows, &scenarios, &mut figures);
    if chosen(COPY) {
        figures.push(copying(&lab));
    }
    drop(lab);
    report::publish(Report::Bench, &run.programs.out, &facts, &figures)?;
    match failures.as_slice() {
        [] => Ok(()),
        failures => bail!("not everything could be measured:\n{}", failures.join("\n")),
    }
}

fn soak(Soak { minutes, programs }: &Soak) -> anyhow::Result<()> {
    let facts = Facts::gather(&programs.python, 1);
    let folder = tempfile::tempdir()?;
    let lab = Lab {
        installation: install(programs, &folder)?,
        effort: Effort::Full,
        repetitions: 1,
        progress: Progress::of(usize::try_from(*minutes)?)?,
    };
    let figures = scenario::soak(&lab, *minutes)?;
    drop(lab);
    report::publish(Report::Soak, &programs.out, &facts, &figures)
}

/// Measures everything that can be measured; what could not is returned.
fn all(lab: &Lab, rows: &[Row], scenarios: &[Scenario], figures: &mut Vec<Figure>) -> Vec<String> {
    let mut failures = duel::run(lab, rows, figures);
    for scenario in scenarios {
        match scenario.run(lab) {
            Ok(found) => figures.extend(found),
            Err(error) => failures.push(format!("{}: {error:#}", scenario.group)),
        }
    }
    failures
}

fn copying(lab: &Lab) -> Figure {
    let rates: Vec<_> = (0..lab.repetitions)
        .map(|_| limits::copy(Duration::from_millis(lab.choose(500, 100))) / 1e6)
        .collect();
    Figure::single("limit: memcpy of 256 MiB", "MB/s", Better::Higher, &rates, None)
}

fn install(programs: &Programs, folder: &tempfile::TempDir) -> anyhow::Result<Installation> {
    let here = std::env::current_exe()?;
    let ours = programs
        .server
        .clone()
        .unwrap_or_else(|| here.with_file_name("flexconnect-bench-server"));
    let released = here.with_file_name("flexconnect-server");
    for program in [&ours, &released, &programs.python.join("gooddata-flight-server")] {
        if !program.is_file() {
            bail!(
                "{} is not there: `make bench` builds and installs what is needed",
                program.display()
            );
        }
    }
    let functions = fs::canonicalize(&programs.functions)
        .with_context(|| format!("there are no functions in {}", programs.functions.display()))?;
    if let Some(logs) = &programs.logs {
        fs::create_dir_all(logs)?;
    }
    let wide = folder.path().join("wide.arrows");
    flexconnect_bench::write_wide(&wide).context("cannot write the table for the Python functions")?;
    Ok(Installation {
        ours,
        released,
        python: programs.python.clone(),
        functions,
        wide,
        folder: folder.path().to_owned(),
        logs: programs.logs.clone(),
        certificate: certificate::make(folder.path())?,
    })
}
