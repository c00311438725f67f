//! Both servers up at once, measured in turns, with the limit programs among them; ratios are of one repetition.

use std::collections::HashMap;

use anyhow::Context as _;
use serde_json::json;

use flexconnect_bench as tables;

use crate::client::{Frame, connect};
use crate::figure::Figure;
use crate::lab::Lab;
use crate::limits::{self, Echo, Limit};
use crate::load::{Load, Step, Work, runtime};
use crate::plan::{Against, Expectation, Kind, Row, Stage};
use crate::sample::{Sample, limit, measure};
use crate::server::{Maker, Server};

/// How often a repetition is measured again because something else was at work.
const RETRIES: usize = 4;

/// Who takes part in a repetition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contender {
    Server(Maker),
    Limit(Limit),
}

/// Measures these rows, stage by stage; what could not be measured is returned, and the rest goes on.
pub(crate) fn run(lab: &Lab, rows: &[Row], figures: &mut Vec<Figure>) -> Vec<String> {
    let mut failures = Vec::new();
    for stage in Stage::ALL {
        let rows: Vec<_> = rows.iter().filter(|row| row.stage == stage).collect();
        if rows.is_empty() {
            continue;
        }
        let mut ring = match Ring::open(lab, stage) {
            Ok(ring) => ring,
            Err(error) => {
                failures.push(format!("{stage:?}: {error:#}"));
                continue;
            }
        };
        for row in rows {
            lab.progress.step(&row.name);
            if let Err(error) = ring.measure(row, figures) {
                failures.push(format!("{}: {error:#}", row.name));
            }
        }
    }
    failures
}

/// The servers of a stage.
struct Ring<'a> {
    lab: &'a Lab,
    servers: Vec<(Maker, Server)>,
    echo: Echo,
    /// What was stored once and is read again and again.
    stored: HashMap<(Maker, i64), Work>,
}

impl<'a> Ring<'a> {
    fn open(lab: &'a Lab, stage: Stage) -> anyhow::Result<Self> {
        let setup = stage.setup();
        let servers = stage
            .makers()
            .into_iter()
            .map(|maker| anyhow::Ok((maker, lab.start(maker, &setup)?)))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            lab,
            servers,
            echo: Echo::start()?,
            stored: HashMap::new(),
        })
    }

    fn measure(&mut self, row: &Row, figures: &mut Vec<Figure>) -> anyhow::Result<()> {
        let contenders = contenders(row);
        let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); contenders.len()];
        let mut disturbed = 0;
        for repetition in 0..self.lab.repetitions {
            for turn in 0..contenders.len() {
                let which = (turn + repetition) % contenders.len();
                let (sample, quiet) = self.undisturbed(contenders[which], row)?;
                disturbed += usize::from(!quiet);
                samples[which].push(sample);
            }
        }
        if disturbed > 0 {
            let name = &row.name;
            self.lab.progress.warn(&format!(
                "{name}: other programs or the host were at work in {disturbed} measurements"
            ));
        }
        let of = |contender| {
            contenders
                .iter()
                .position(|&other| other == contender)
                .map(|at| &samples[at][..])
        };
        figures.extend(row.expected.iter().map(|expected| figure(row, expected, of)));
        Ok(())
    }

    /// A sample, measured again when others were at work, and whether it is free of them. When none is, it is the one
    /// with the least of them, whatever it shows.
    fn undisturbed(&mut self, contender: Contender, row: &Row) -> anyhow::Result<(Sample, bool)> {
        let mut quietest = self.sample(contender, row)?;
        for _ in 0..RETRIES {
            if quietest.other_cores <= self.lab.quiet() {
                break;
            }
            let sample = self.sample(contender, row)?;
            if sample.other_cores < quietest.other_cores {
                quietest = sample;
            }
        }
        Ok((quietest, quietest.other_cores <= self.lab.quiet()))
    }

    fn sample(&mut self, contender: Contender, row: &Row) -> anyhow::Result<Sample> {
        let timing = self.lab.timing();
        let mut all: Vec<_> = self.servers.iter().flat_map(|(_, server)| server.processes()).collect();
        all.extend([std::process::id(), self.echo.pid()]);
        let certificate = &self.lab.installation.certificate;
        match contender {
            Contender::Server(maker) => {
                let work = self.work(maker, row)?;
                let server = self.server(maker)?;
                measure(&server.target, &load(work, row), timing, &server.processes(), &all)
            }
            Contender::Limit(Limit::Tcp { streams, write }) => {
                limit(timing, &all, |window| limits::send(streams, write, None, window))
            }
            Contender::Limit(Limit::Tls) => limit(timing, &all, |window| {
                limits::send(1, 16 << 10, Some(certificate), window)
            }),
            Contender::Limit(Limit::Echo) => {
                let work = Work::call(Step::Echo, "Echo", &json!({}), 0);
                measure(&self.echo.target, &load(work, row), timing, &[self.echo.pid()], &all)
            }
        }
    }

    fn server(&self, maker: Maker) -> anyhow::Result<&Server> {
        let found = self.servers.iter().find(|(of, _)| *of == maker);
        found.map(|(_, server)| server).context("the server is not up")
    }

    fn work(&mut self, maker: Maker, row: &Row) -> anyhow::Result<Work> {
        let wide = |batches| batches * tables::WIDE_BATCH_ROWS;
        let small = tables::SMALL_BATCHES * tables::SMALL_BATCH_ROWS;
        Ok(match row.kind {
            Kind::Tiny => Work::tiny(),
            Kind::Info => Work {
                step: Step::Ask,
                ..Work::tiny()
            },
            Kind::Cpu => Work::cpu(),
            Kind::Sleep => Work::sleep(100),
            Kind::Stream => Work::call(Step::AskAndRead, "Stream", &json!({}), wide(tables::WIDE_BATCHES)),
            Kind::SmallBatches => Work::call(Step::AskAndRead, "SmallBatches", &json!({}), small),
            Kind::Made { batches } => Work::call(Step::AskAndRead, "Wide", &json!({"batches": batches}), wide(batches)),
            Kind::Wide { batches } => return self.stored(maker, batches),
        })
    }

    /// The work of reading `Wide` over and over; it is asked for once, and kept by the server for the whole stage.
    fn stored(&mut self, maker: Maker, batches: i64) -> anyhow::Result<Work> {
        if let Some(work) = self.stored.get(&(maker, batches)) {
            return Ok(work.clone());
        }
        let target = self.server(maker)?.target.clone();
        let work = runtime()?.block_on(async {
            let connection = connect(&target, Frame::Large).await?;
            let rows = batches * tables::WIDE_BATCH_ROWS;
            anyhow::Ok(Work::stored(&connection, "Wide", &json!({"batches": batches}), rows).await?)
        })?;
        self.stored.insert((maker, batches), work.clone());
        Ok(work)
    }
}

fn load(work: Work, row: &Row) -> Load {
    Load {
        work,
        clients: row.clients,
        frame: row.frame,
        bulk: row.kind.bulk(),
    }
}

fn contenders(row: &Row) -> Vec<Contender> {
    let mut found = row.stage.makers().map(Contender::Server).to_vec();
    for expected in &row.expected {
        if let Against::Limit(limit) = expected.against {
            let contender = Contender::Limit(limit);
            if !found.contains(&contender) {
                found.push(contender);
            }
        }
    }
    found
}

fn figure<'a>(row: &Row, expected: &Expectation, of: impl Fn(Contender) -> Option<&'a [Sample]>) -> Figure {
    let &Expectation { metric, against, goal } = expected;
    let values = |contender| {
        of(contender)
            .unwrap_or_default()
            .iter()
            .map(|sample| metric.of(sample))
            .collect::<Vec<_>>()
    };
    let [ours, vendor] = row.stage.makers();
    let ours = values(Contender::Server(ours));
    let name = format!("{}: {}", row.name, metric.name());
    let (baseline, against) = match against {
        Against::Nothing => return Figure::single(name, metric.unit(), metric.better(), &ours, goal),
        Against::Vendor => (values(Contender::Server(vendor)), "vendor"),
        Against::Limit(limit) => (values(Contender::Limit(limit)), limit.name()),
        Against::Bound(bound) => (vec![bound; ours.len()], "the most possible"),
    };
    let name = if against == "vendor" {
        name
    } else {
        format!("{name} of {against}")
    };
    Figure::paired(name, metric.unit(), metric.better(), (&ours, &baseline), against, goal)
}
