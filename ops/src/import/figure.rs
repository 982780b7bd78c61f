//! Figures as banks write them, into whole minor units: `1 234,50`, `-0.10`, `12.00-`, `(7.25)`.

/// How a file writes its figures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FigureForm {
    /// Digits of the minor unit.
    pub(crate) decimals: u8,
    /// What stands before them.
    pub(crate) decimal: char,
    /// What may stand between thousands.
    pub(crate) thousands: Option<char>,
}

impl FigureForm {
    /// The figure in minor units. More decimals than the currency has are refused unless they are zeros: an
    /// import never rounds.
    pub(crate) fn read(self, text: &str) -> Result<i128, String> {
        let wrong = |what: &str| Err(format!("'{text}' {what}"));
        let (negative, digits) = unsigned(text.trim());
        let mut minor: i128 = 0;
        let mut whole_digits = 0_usize;
        let mut decimals: Option<u8> = None;
        for character in digits.chars() {
            match (character.to_digit(10), decimals) {
                (Some(digit), None) => {
                    whole_digits += 1;
                    let Some(next) = push_digit(minor, digit) else { return wrong("is too large") };
                    minor = next;
                }
                (Some(digit), Some(count)) if count < self.decimals => {
                    decimals = Some(count + 1);
                    let Some(next) = push_digit(minor, digit) else { return wrong("is too large") };
                    minor = next;
                }
                (Some(0), Some(_)) => {}
                (Some(_), Some(_)) => {
                    return wrong("has more decimals than its currency; nothing is rounded");
                }
                (None, None) if character == self.decimal => decimals = Some(0),
                (None, None) if self.is_thousands(character) && whole_digits > 0 => {}
                (None, _) => return wrong("is no figure"),
            }
        }
        if whole_digits == 0 {
            return wrong("is no figure");
        }
        for _ in decimals.unwrap_or(0)..self.decimals {
            let Some(next) = push_digit(minor, 0) else { return wrong("is too large") };
            minor = next;
        }
        Ok(if negative { -minor } else { minor })
    }

    /// Minor units as a figure with a point, for reports.
    pub(crate) fn write(self, minor: i128) -> String {
        let sign = if minor < 0 { "-" } else { "" };
        let digits = minor.unsigned_abs().to_string();
        let decimals = usize::from(self.decimals);
        if decimals == 0 {
            return format!("{sign}{digits}");
        }
        let padded = format!("{digits:0>width$}", width = decimals + 1);
        let (whole, part) = padded.split_at(padded.len() - decimals);
        format!("{sign}{whole}.{part}")
    }

    /// A space stands for every kind of space that banks print.
    fn is_thousands(self, character: char) -> bool {
        match self.thousands {
            Some(' ') => matches!(character, ' ' | '\u{a0}' | '\u{202f}' | '\u{2009}'),
            Some(separator) => separator == character,
            None => false,
        }
    }
}

/// No figure is larger, so that the sum of as many rows as a file can have stays within an `i128`.
const MINOR_MAX: i128 = 10_i128.pow(27);

fn push_digit(minor: i128, digit: u32) -> Option<i128> {
    let next = minor.checked_mul(10)?.checked_add(i128::from(digit))?;
    (next <= MINOR_MAX).then_some(next)
}

/// Whether a figure is negative, and the rest of it.
fn unsigned(text: &str) -> (bool, &str) {
    for minus in ['-', '\u{2212}'] {
        if let Some(rest) = text.strip_prefix(minus).or_else(|| text.strip_suffix(minus)) {
            return (true, rest.trim());
        }
    }
    if let Some(rest) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        return (true, rest.trim());
    }
    (false, text.strip_prefix('+').unwrap_or(text).trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINT: FigureForm = FigureForm { decimals: 2, decimal: '.', thousands: None };
    const COMMA: FigureForm = FigureForm { decimals: 2, decimal: ',', thousands: Some('.') };
    const SPACED: FigureForm = FigureForm { decimals: 3, decimal: ',', thousands: Some(' ') };

    #[test]
    fn figures_are_read_exactly() {
        for (form, text, minor) in [
            (POINT, "700.00", 70_000),
            (POINT, " 0.1 ", 10),
            (POINT, "-0.10", -10),
            (POINT, "5", 500),
            (POINT, "+5.", 500),
            (POINT, "1.2300", 123),
            (COMMA, "1.234.567,89", 123_456_789),
            (COMMA, "12,5-", -1_250),
            (COMMA, "(7,25)", -725),
            (SPACED, "1 234\u{a0}567,8", 1_234_567_800),
            (SPACED, "\u{2212}1", -1_000),
        ] {
            assert_eq!(form.read(text), Ok(minor), "{text}");
        }
    }

    #[test]
    fn what_is_no_figure_is_refused() {
        for text in ["", "-", ".", ".5", "1,5", "1.2.3", "12a", "1e3", "--1", "1 000", "0x1", "1.001", "NaN"]
        {
            assert!(POINT.read(text).is_err(), "{text}");
        }
        let digits = "9".repeat(40);
        assert_eq!(POINT.read(&digits).unwrap_err(), format!("'{digits}' is too large"));
    }

    #[test]
    fn what_is_written_reads_back() {
        for minor in [0, 1, -1, 10, -10, 99, 100, -12_345, i128::from(i64::MAX)] {
            assert_eq!(POINT.read(&POINT.write(minor)), Ok(minor));
        }
        assert_eq!(POINT.write(-5), "-0.05");
    }
}
