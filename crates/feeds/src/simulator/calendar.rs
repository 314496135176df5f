//! Dates as text, from milliseconds since 1970.

const DAY_MS: u64 = 86_400_000;

/// ISO 8601 in UTC, as in `2026-01-10T12:00:00Z`.
pub(super) fn iso_8601(unix_ms: u64) -> String {
    let (year, month, day) = civil_date(unix_ms / DAY_MS);
    let second = unix_ms / 1_000 % 60;
    format!("{year:04}-{month:02}-{day:02}T{}:{second:02}Z", clock(unix_ms))
}

/// Hours and minutes in UTC, as in `14:35`.
pub(super) fn clock(unix_ms: u64) -> String {
    let minutes = unix_ms % DAY_MS / 60_000;
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// Year, month and day of a day counted from 1970-01-01.
///
/// Years are counted from March, so that the leap day is the last of its year and the lengths of months follow one
/// formula. Method: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn civil_date(unix_day: u64) -> (u64, u64, u64) {
    let day = unix_day + 719_468;
    let (era, day_of_era) = (day / 146_097, day % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right_at_leap_days_and_year_ends() {
        assert_eq!(iso_8601(0), "1970-01-01T00:00:00Z");
        assert_eq!(iso_8601(951_782_400_000), "2000-02-29T00:00:00Z");
        assert_eq!(iso_8601(1_709_251_199_999), "2024-02-29T23:59:59Z");
        assert_eq!(iso_8601(1_767_225_599_000), "2025-12-31T23:59:59Z");
        assert_eq!(iso_8601(4_107_542_400_000), "2100-03-01T00:00:00Z");
    }
}
