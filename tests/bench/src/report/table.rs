//! Figures as a table: for the terminal, and as Markdown for the documentation.

use std::fmt::Write as _;
use std::io::IsTerminal as _;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table};

use crate::figure::{Better, Figure, Goal, Spread};

const HEADINGS: [&str; 7] = ["figure", "ours", "unit", "against", "ratio", "target", "met"];

/// For the terminal; plain text when standard output is none.
pub(super) fn terminal(figures: &[Figure]) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    if colour {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    } else {
        table.force_no_tty();
    }
    table.set_header(HEADINGS.map(|heading| Cell::new(heading).add_attribute(Attribute::Bold)));
    for figure in figures {
        let [name, ours, unit, against, ratio, target, met] = cells(figure);
        let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
        let verdict = Cell::new(met);
        let verdict = match figure.met() {
            Some(true) if colour => verdict.fg(Color::Green),
            Some(false) if colour => verdict.fg(Color::Red),
            Some(_) | None => verdict,
        };
        table.add_row(vec![
            Cell::new(name),
            right(ours),
            Cell::new(unit),
            right(against),
            right(ratio),
            right(target),
            verdict,
        ]);
    }
    table.to_string()
}

/// For the documentation.
pub(super) fn markdown(figures: &[Figure]) -> String {
    let mut text = String::new();
    let row = |text: &mut String, cells: [String; 7]| {
        let cells = cells.map(|cell| cell.replace('|', "\\|"));
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    };
    row(&mut text, HEADINGS.map(str::to_owned));
    text.push_str("|---|--:|---|--:|--:|--:|---|\n");
    for figure in figures {
        row(&mut text, cells(figure));
    }
    text
}

fn cells(figure: &Figure) -> [String; 7] {
    let median = |spread: Option<Spread>| spread.map_or_else(|| "–".to_owned(), |spread| number(spread.median));
    let against = match figure.baseline {
        Some(baseline) => format!("{} {}", figure.against, number(baseline.median)),
        None => String::new(),
    };
    let ratio = match figure.ratio {
        Some(Spread { median, low, high }) if median.is_finite() => {
            format!("{} ({}–{})", number(median), number(low), number(high))
        }
        Some(_) => "–".to_owned(),
        None => String::new(),
    };
    let target = figure.goal.map_or_else(String::new, |goal| target(goal, figure.better));
    let met = match (figure.met(), figure.reaches_target()) {
        (Some(true), Some(false)) => "yes, not the target",
        (Some(true), _) => "yes",
        (Some(false), _) => "no",
        (None, _) => "",
    };
    [
        figure.name.clone(),
        median(figure.value),
        figure.unit.to_owned(),
        against,
        ratio,
        target,
        met.to_owned(),
    ]
}

fn target(Goal { target, floor }: Goal, better: Better) -> String {
    let sign = match better {
        Better::Higher => '≥',
        Better::Lower => '≤',
    };
    if (target - floor).abs() < f64::EPSILON {
        format!("{sign} {}", number(target))
    } else {
        format!("{sign} {} (met at {})", number(target), number(floor))
    }
}

/// Three significant digits, and no more digits than a value of thousands has.
fn number(value: f64) -> String {
    let magnitude = value.abs();
    match value {
        _ if !value.is_finite() => "–".to_owned(),
        _ if magnitude >= 100.0 => grouped(value),
        _ if magnitude >= 10.0 => format!("{value:.1}"),
        _ if magnitude >= 1.0 => format!("{value:.2}"),
        _ if magnitude >= 0.1 => format!("{value:.3}"),
        _ => format!("{value:.4}"),
    }
}

/// Thousands set off by commas.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        let left = digits.len() - index;
        if left.is_multiple_of(3) && index > 0 && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_long_as_they_are_exact() {
        let numbers = [0.0412, 0.5, 7.9, 29.0, 107.0, 17_859.4, -1_234_567.0, f64::NAN].map(number);
        assert_eq!(
            numbers,
            ["0.0412", "0.500", "7.90", "29.0", "107", "17,859", "-1,234,567", "–"]
        );
    }

    #[test]
    fn a_row_tells_target_and_verdict() {
        let goal = Goal::at(1.05).or(0.9);
        let figure = Figure::paired(
            "wide".to_owned(),
            "MB/s",
            Better::Higher,
            (&[3_000.0], &[3_000.0]),
            "vendor",
            Some(goal),
        );
        assert_eq!(
            cells(&figure)[3..],
            [
                "vendor 3,000",
                "1.00 (1.00–1.00)",
                "≥ 1.05 (met at 0.900)",
                "yes, not the target"
            ]
        );
    }
}
