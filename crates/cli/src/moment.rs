//! Moments of the calendar: when a content becomes to be had, and when it ends.
//!
//! The engine knows no calendar, so who starts it looks. Before the first moment one waits, for as long as one has
//! patience; from the second on nothing is given or taken any more. What was saved before stays where it is.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use pleach_core::content::Manifest;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::sleep;

use crate::exit::{Code, Error, Result};
use crate::ui::{self, Ui};

/// How often the clock is looked at while one waits: a machine may sleep meanwhile, or its clock be set.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// A moment, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    pub(crate) fn new(since_1970_ms: u64) -> Self {
        Self(since_1970_ms)
    }

    pub(crate) fn as_ms(self) -> u64 {
        self.0
    }

    fn now() -> Self {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX))
    }

    /// How long it is until then; `None` if it is past.
    fn left(self) -> Option<Duration> {
        self.0.checked_sub(Self::now().0).filter(|left_ms| *left_ms > 0).map(Duration::from_millis)
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let refused = |_| "expected a moment such as 2031-05-01T18:00:00Z or 2031-05-01T20:00:00+02:00".to_owned();
        let moment = OffsetDateTime::parse(text, &Rfc3339).map_err(refused)?;
        u64::try_from(moment.unix_timestamp_nanos() / 1_000_000)
            .map(Self)
            .map_err(|_| "moments before 1970 are not known here".to_owned())
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000).ok();
        match moment.and_then(|moment| moment.format(&Rfc3339).ok()) {
            Some(text) => f.write_str(&text),
            // Beyond the year 9999.
            None => write!(f, "{} ms after 1970", self.0),
        }
    }
}

/// Waits until the content is to be had, if that is within `patience`, and refuses one whose time is over.
pub(crate) async fn wait_until_active(manifest: &Manifest, patience: Duration, ui: &Ui) -> Result {
    check_not_over(manifest)?;
    let Some(from) = manifest.active_from_ms().map(Moment) else { return Ok(()) };
    let Some(left) = from.left() else { return Ok(()) };
    let time = ui::duration(left);
    if left > patience {
        return Err(Error::new(Code::NotFound, format!("this is to be had from {from} on, in {time}"))
            .hint("--timeout SECONDS waits longer, --timeout 0 for ever"));
    }
    ui.say(format_args!("waiting until {from}, {time}; Ctrl-C ends it"));
    while let Some(left) = from.left() {
        sleep(left.min(LOOK_INTERVAL)).await;
    }
    Ok(())
}

/// Refuses a content whose time is over.
pub(crate) fn check_not_over(manifest: &Manifest) -> Result {
    match manifest.active_until_ms().map(Moment).filter(|until| until.left().is_none()) {
        Some(until) => Err(over(until)),
        None => Ok(()),
    }
}

/// Waits until the content's time is over; for ever if it has no end.
pub(crate) async fn wait_until_over(until: Option<Moment>) -> Error {
    let Some(until) = until else { return std::future::pending().await };
    while let Some(left) = until.left() {
        sleep(left.min(LOOK_INTERVAL)).await;
    }
    over(until)
}

/// When the content's time is over, if ever.
pub(crate) fn end_of(manifest: &Manifest) -> Option<Moment> {
    manifest.active_until_ms().map(Moment)
}

fn over(until: Moment) -> Error {
    Error::new(Code::NotFound, format!("this was to be had until {until}; its time is over"))
}

#[cfg(test)]
mod tests {
    use super::Moment;

    #[test]
    fn moments_are_read_and_written() {
        let read = |text: &str| text.parse::<Moment>().map(Moment::as_ms);
        assert_eq!(read("1970-01-01T00:00:01Z"), Ok(1000));
        assert_eq!(read("2031-01-01T00:00:00.5+00:00"), Ok(1_924_992_000_500));
        assert_eq!(read("2031-01-01T02:00:00+02:00"), Ok(1_924_992_000_000));
        for text in ["", "2031-01-01", "tomorrow", "2031-01-01T00:00:00", "1969-12-31T23:59:59Z"] {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(Moment(1_924_992_000_500).to_string(), "2031-01-01T00:00:00.5Z");
        assert_eq!(Moment(u64::MAX).to_string(), "18446744073709551615 ms after 1970");
    }
}
