//! `query`: a function through a data source, its rows as a table.

use std::io::{self, Write as _};

use clap::{Args, ValueEnum};
use flexconnect_sandbox::{Answer, DEFAULT_TOKEN, Filter, Query};
use reqwest::Url;
use secrecy::SecretString;

use super::Failure;
use super::client::Client;
use super::table::render;

const EXAMPLES: &str = "\
Examples:
  flexconnect-sandbox query sales Sales
  flexconnect-sandbox query sales Sales --filter region=EMEA,APAC --filter 'product!=Chairs'
  flexconnect-sandbox query sales Sales --filter 'customer^=A' --date-range 2025-01-01..2025-03-31
  flexconnect-sandbox query sales Sales --date-range month:-11..0 --columns region,revenue
  flexconnect-sandbox query sales Sales --repeat 20        which replica answers each
  flexconnect-sandbox query sales Sales -o json | jq .rows";

/// Run a function through a data source of a running sandbox and print its rows.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct QueryCommand {
    /// The id of the data source.
    data_source: String,
    /// The name of the function.
    function: String,
    /// The running sandbox.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:3000")]
    endpoint: Url,
    /// Its API token.
    #[arg(long, default_value = DEFAULT_TOKEN)]
    token: SecretString,
    /// LABEL=A,B or LABEL!=A,B; LABEL~TEXT contains, LABEL^=TEXT starts with, LABEL$=TEXT ends with; `(empty)` is the
    /// empty value. May be given several times.
    #[arg(long = "filter", value_name = "FILTER", value_parser = Filter::parse_attribute)]
    filters: Vec<Filter>,
    /// [DATASET=]2025-01-01..2025-01-31, or counted from now [DATASET=]month:-11..0; the dataset is `date` unless
    /// named. May be given several times.
    #[arg(long = "date-range", value_name = "RANGE", value_parser = Filter::parse_date_range)]
    date_ranges: Vec<Filter>,
    /// The columns that the report needs [default: the function's choice].
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    columns: Option<Vec<String>>,
    /// How many rows to print; all are read and counted. 0: no table.
    #[arg(long, value_name = "ROWS", default_value_t = 20)]
    limit: usize,
    /// How many times to ask.
    #[arg(long, value_name = "TIMES", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    repeat: u64,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Output {
    /// The rows of the first answer as a table, then a line for each answer.
    #[default]
    Table,
    /// Each answer as one line of JSON.
    Json,
}

impl QueryCommand {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let client = Client::new(self.endpoint, self.token)?;
        let query = Query {
            columns: self.columns,
            filters: self.filters.into_iter().chain(self.date_ranges).collect(),
            limit: self.limit,
            ..Query::of(self.function)
        };
        for turn in 1..=self.repeat {
            let answer = client.query(&self.data_source, &query).await.map_err(|failure| {
                if self.repeat == 1 {
                    failure
                } else {
                    Failure(format!("query {turn} of {}: {failure}", self.repeat))
                }
            })?;
            let printed = match self.output {
                Output::Table if turn == 1 && self.limit > 0 => {
                    print(&format!("{}\n{}", render(&answer), summary(&answer)))
                }
                Output::Table => print(&summary(&answer)),
                Output::Json => print(&serde_json::json!(answer).to_string()),
            };
            match printed {
                Ok(()) => {}
                // Whoever read has seen enough.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
                Err(error) => return Err(Failure(format!("the rows cannot be printed: {error}"))),
            }
        }
        Ok(())
    }
}

fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}

/// `3 rows × 2 columns from grpc+tls://a:17001 in 12 ms`, and what was tried before.
fn summary(answer: &Answer) -> String {
    let Answer {
        row_count,
        columns,
        location,
        milliseconds,
        failed_attempts,
        ..
    } = answer;
    let count = |number: u64, noun: &str| format!("{number} {noun}{}", if number == 1 { "" } else { "s" });
    let size = format!(
        "{} × {}",
        count(*row_count, "row"),
        count(columns.len() as u64, "column")
    );
    let tried: Vec<_> = failed_attempts.iter().map(|attempt| attempt.url.as_str()).collect();
    let tried = if tried.is_empty() {
        String::new()
    } else {
        format!(", after {} failed", tried.join(" and "))
    };
    format!("{size} from {location} in {milliseconds} ms{tried}")
}

#[cfg(test)]
mod tests {
    use flexconnect_sandbox::{Column, FailedAttempt};

    use super::*;

    #[test]
    fn one_line_says_it_all() {
        let answer = Answer {
            columns: vec![Column {
                name: "a".to_owned(),
                data_type: "Utf8".to_owned(),
            }],
            rows: Vec::new(),
            row_count: 3,
            called: "grpc://b:1".to_owned(),
            location: "grpc://b:1".to_owned(),
            failed_attempts: Vec::new(),
            milliseconds: 12,
            messages: Vec::new(),
        };
        assert_eq!(summary(&answer), "3 rows × 1 column from grpc://b:1 in 12 ms");
        let failed_attempts = vec![FailedAttempt {
            url: "grpc://a:1".to_owned(),
            error: String::new(),
        }];
        let answer = Answer {
            failed_attempts,
            ..answer
        };
        assert!(summary(&answer).ends_with("in 12 ms, after grpc://a:1 failed"));
    }
}
