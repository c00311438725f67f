//! Amounts as Kubernetes writes them: `500m`, `1.5Gi`, `2e3`. Pure.

/// Suffixes and what they multiply by; negative: divide by.
const UNITS: [(&str, i128); 15] = [
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("Pi", 1 << 50),
    ("Ei", 1 << 60),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("P", 1_000_000_000_000_000),
    ("E", 1_000_000_000_000_000_000),
    ("n", -1_000_000_000),
    ("u", -1_000_000),
    ("m", -1_000),
];

/// An amount in billionths, and rounded to them; None for what is no amount, or too large for one.
#[must_use]
pub fn billionths(text: &str) -> Option<i128> {
    let suffixed = UNITS
        .iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)));
    let (number, factor) = match suffixed {
        Some(suffixed) => suffixed,
        None => exponent(text)?,
    };
    let (sign, digits) = match number.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number =
        whole.len() + fraction.len() > 0 && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    if !is_number || whole.len() > 19 || fraction.len() > 9 {
        return None;
    }
    let value = sign * format!("{whole}{fraction:0<9}").parse::<i128>().ok()?;
    if factor > 0 {
        value.checked_mul(factor)
    } else {
        Some(value / -factor)
    }
}

/// `12e3`: the number, and what it is multiplied by.
fn exponent(text: &str) -> Option<(&str, i128)> {
    let Some((number, exponent)) = text.split_once(['e', 'E']) else {
        return Some((text, 1));
    };
    let exponent = exponent
        .parse::<i32>()
        .ok()
        .filter(|exponent| (-9..=18).contains(exponent))?;
    let power = 10_i128.pow(exponent.unsigned_abs());
    Some((number, if exponent < 0 { -power } else { power }))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("1", Some(1_000_000_000))]
    #[case("1000m", Some(1_000_000_000))]
    #[case("0.5", Some(500_000_000))]
    #[case(".5", Some(500_000_000))]
    #[case("-1", Some(-1_000_000_000))]
    #[case("+1", Some(1_000_000_000))]
    #[case("1e3", Some(1_000_000_000_000))]
    #[case("1E", Some(1_000_000_000_000_000_000_000_000_000))]
    #[case("1Ki", Some(1_024_000_000_000))]
    #[case("1.5Gi", Some(1_610_612_736_000_000_000))]
    #[case("", None)]
    #[case("m", None)]
    #[case("1 Gi", None)]
    #[case("1Gx", None)]
    #[case("1e", None)]
    #[case("--1", None)]
    #[case("much", None)]
    fn amounts_are_read_as_kubernetes_reads_them(#[case] text: &str, #[case] expected: Option<i128>) {
        assert_eq!(billionths(text), expected);
    }
}
