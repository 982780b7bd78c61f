//! Days, moments and durations as a script writes them.

use fen_book::Stamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;

/// The first moment of a day, UTC: "2026-03-02"; or a moment: "2026-03-02T10:30:00"; either with "+5" for
/// nanoseconds more.
pub(crate) fn moment(text: &str) -> Result<Stamp, String> {
    let (base, more) = text.split_once('+').unwrap_or((text, "0"));
    let more: u64 = more.parse().map_err(|_| format!("`{more}` is no count of nanoseconds"))?;
    let start = match base.parse::<Date>() {
        Ok(date) if !base.contains('T') => date.to_datetime(jiff::civil::Time::midnight()),
        _ => base.parse::<DateTime>().map_err(|_| format!("`{base}` is no day such as 2026-03-02"))?,
    };
    let start = start.to_zoned(TimeZone::UTC).map_err(|error| error.to_string())?;
    let nanoseconds = u64::try_from(start.timestamp().as_nanosecond())
        .map_err(|_| format!("`{text}` lies before 1970 or after 2554"))?;
    Ok(Stamp::new(nanoseconds + more))
}

/// The last moment of the day that begins at `start`.
pub(crate) fn end_of_day(start: Stamp) -> Stamp {
    Stamp::new(start.get() + DAY - 1)
}

/// "7d", "3h", "10m", "90s", "5ns".
pub(crate) fn nanoseconds(text: &str) -> Result<u64, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (count, unit) = text.split_at(split);
    let unit = match unit {
        "d" => DAY,
        "h" => 3_600 * SECOND,
        "m" => 60 * SECOND,
        "s" => SECOND,
        "ns" => 1,
        _ => return Err(format!("`{text}` is no duration such as 7d, 3h, 10m, 90s or 5ns")),
    };
    let count: u64 = count.parse().map_err(|_| format!("`{text}` has no count"))?;
    count.checked_mul(unit).ok_or_else(|| format!("`{text}` is too long"))
}

/// The same in whole seconds, as a timeout is.
pub(crate) fn seconds(text: &str) -> Result<u32, String> {
    let nanoseconds = nanoseconds(text)?;
    u32::try_from(nanoseconds / SECOND).map_err(|_| format!("`{text}` is longer than a timeout can be"))
}

/// The day of a stamp; with the time of day too where it is a second or more past midnight.
pub(crate) fn print(stamp: Stamp) -> String {
    let since = SignedDuration::from_nanos_i128(i128::from(stamp.get()));
    let Ok(time) = Timestamp::from_duration(since) else { return format!("stamp {stamp}") };
    let time = time.to_zoned(TimeZone::UTC);
    if stamp.get() % DAY < SECOND {
        time.strftime("%F").to_string()
    } else {
        time.strftime("%F %T").to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_moments_are_read_and_printed() {
        assert_eq!(print(moment("2026-03-02").unwrap()), "2026-03-02");
        assert_eq!(print(moment("2026-03-02+5").unwrap()), "2026-03-02");
        assert_eq!(print(moment("2026-03-02T10:30:00").unwrap()), "2026-03-02 10:30:00");
        assert_eq!(moment("1970-01-02").unwrap(), Stamp::new(DAY));
        assert!(moment("yesterday").is_err());
    }

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(seconds("7d").unwrap(), 604_800);
        assert_eq!(nanoseconds("5ns").unwrap(), 5);
        assert!(nanoseconds("5").is_err());
    }
}
