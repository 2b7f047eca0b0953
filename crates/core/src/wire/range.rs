//! A web server's answer to a request for a range of bytes (RFC 9110, section 14), and what it is good for.
//!
//! Native code and pages send the same request, `Range: bytes=FIRST-LAST`, and hand status and headers to [`judge`],
//! which tells how many bytes to pass over before those that were asked for begin. Nothing in an answer is believed: the
//! bytes are verified as any others. So no validator (`ETag`, `If-Range`) is compared, which would only be an earlier
//! word of what the hash says, and a wrong one where several machines answer under one name.

use core::time::Duration;

use crate::content::ByteRange;

/// Most bytes that are passed over, of a server that ignores the range and sends all from the beginning.
pub const SKIP_BYTES_MAX: u64 = 4 << 20;
/// The longest wait that a server's `Retry-After` is believed.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);

/// What an answer says before its body. Where a page is not shown a header (another origin's, unless it is exposed),
/// the field is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    /// `Content-Range`.
    pub content_range: Option<&'a str>,
    /// `Content-Length`.
    pub content_length: Option<&'a str>,
    /// `Retry-After`.
    pub retry_after: Option<&'a str>,
}

/// How a fetch ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchOutcome {
    /// The body is at its end.
    Done,
    /// Not now: the server is busy or has a fault of its own, the connection broke.
    Busy {
        /// For people.
        reason: String,
        /// Not before so long, says the server.
        retry_after: Option<Duration>,
    },
    /// Never: it does not have what is wanted, or does not do what is needed.
    Unfit {
        /// For people.
        reason: String,
    },
    /// It can't be reached.
    Unreachable {
        /// For people.
        reason: String,
    },
}

impl FetchOutcome {
    /// It may work later.
    pub fn busy(reason: impl Into<String>) -> Self {
        Self::Busy { reason: reason.into(), retry_after: None }
    }

    /// It will never work.
    pub fn unfit(reason: impl Into<String>) -> Self {
        Self::Unfit { reason: reason.into() }
    }
}

/// What to ask for, as the value of `Range`. The range is not empty.
pub fn range_header(range: ByteRange) -> String {
    format!("bytes={}-{}", range.start, range.end - 1)
}

/// How many bytes of the body to pass over before those of `asked` begin; or why there is no use in the body.
/// `size_bytes` is how many there are in all.
pub fn judge(answer: &Answer<'_>, asked: ByteRange, size_bytes: u64) -> Result<u64, FetchOutcome> {
    match answer.status {
        206 => judge_part(answer, asked, size_bytes).map(|()| 0),
        200 => judge_whole(answer, asked, size_bytes),
        status => Err(judge_refusal(status, answer.retry_after)),
    }
}

fn judge_part(answer: &Answer<'_>, asked: ByteRange, size_bytes: u64) -> Result<(), FetchOutcome> {
    if let Some(value) = answer.content_range {
        let Some((range, all_bytes)) = parse_content_range(value) else {
            return Err(FetchOutcome::unfit("it does not say which bytes it sends"));
        };
        check_size(all_bytes, size_bytes)?;
        if range != asked {
            return Err(FetchOutcome::unfit("it sends other bytes than it was asked for"));
        }
    }
    match parse_length(answer.content_length) {
        Some(len_bytes) if len_bytes != asked.len() => {
            Err(FetchOutcome::unfit("it sends other bytes than it was asked for"))
        }
        _ => Ok(()),
    }
}

fn judge_whole(answer: &Answer<'_>, asked: ByteRange, size_bytes: u64) -> Result<u64, FetchOutcome> {
    check_size(parse_length(answer.content_length), size_bytes)?;
    if asked.start > SKIP_BYTES_MAX {
        return Err(FetchOutcome::unfit("it does not answer Range requests"));
    }
    Ok(asked.start)
}

fn check_size(told_bytes: Option<u64>, size_bytes: u64) -> Result<(), FetchOutcome> {
    match told_bytes {
        Some(told_bytes) if told_bytes != size_bytes => {
            Err(FetchOutcome::unfit(format!("it has another file: {told_bytes} bytes instead of {size_bytes}")))
        }
        _ => Ok(()),
    }
}

fn judge_refusal(status: u16, retry_after: Option<&str>) -> FetchOutcome {
    match status {
        408 | 425 | 429 | 500..=599 => {
            // A date is also allowed there; whoever writes one is asked again as if nothing were said.
            let seconds = retry_after.and_then(|value| value.trim().parse().ok());
            let retry_after = seconds.map(|seconds| Duration::from_secs(seconds).min(RETRY_AFTER_MAX));
            FetchOutcome::Busy { reason: format!("it answers {status}"), retry_after }
        }
        404 | 410 => FetchOutcome::unfit(format!("it does not have it ({status})")),
        401 | 403 => FetchOutcome::unfit(format!("it does not give it to everybody ({status})")),
        416 => FetchOutcome::unfit("it has another file: a shorter one (416)"),
        status => FetchOutcome::unfit(format!("it answers {status}")),
    }
}

/// `bytes FIRST-LAST/ALL`, where ALL may be `*`.
fn parse_content_range(value: &str) -> Option<(ByteRange, Option<u64>)> {
    let (range, all) = value.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.trim().split_once('-')?;
    let (start, last) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
    let end = last.checked_add(1).filter(|end| *end > start)?;
    let all_bytes = match all.trim() {
        "*" => None,
        all => Some(all.parse().ok()?),
    };
    Some((ByteRange { start, end }, all_bytes))
}

fn parse_length(value: Option<&str>) -> Option<u64> {
    value.and_then(|value| value.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ASKED: ByteRange = ByteRange { start: 100, end: 200 };

    fn part<'a>(content_range: &'a str, content_length: &'a str) -> Answer<'a> {
        let (content_range, content_length) = (Some(content_range), Some(content_length));
        Answer { status: 206, content_range, content_length, retry_after: None }
    }

    fn status(status: u16) -> Answer<'static> {
        Answer { status, ..Answer::default() }
    }

    fn refusal(answer: &Answer<'_>) -> FetchOutcome {
        judge(answer, ASKED, 1_000).expect_err("it is refused")
    }

    fn is_unfit(answer: &Answer<'_>, why: &str) -> bool {
        matches!(refusal(answer), FetchOutcome::Unfit { reason } if reason.contains(why))
    }

    #[test]
    fn what_was_asked_for_is_taken() {
        assert_eq!(range_header(ASKED), "bytes=100-199");
        assert_eq!(judge(&part("bytes 100-199/1000", "100"), ASKED, 1_000), Ok(0));
        assert_eq!(judge(&part("bytes 100-199/*", "100"), ASKED, 1_000), Ok(0));
        assert_eq!(judge(&status(206), ASKED, 1_000), Ok(0), "a page may not be shown the headers");
    }

    #[test]
    fn the_whole_is_taken_where_little_goes_before() {
        let whole = Answer { content_length: Some("1000"), ..status(200) };
        assert_eq!(judge(&whole, ASKED, 1_000), Ok(100));
        let far = ByteRange { start: SKIP_BYTES_MAX + 1, end: SKIP_BYTES_MAX + 2 };
        let unfit = FetchOutcome::unfit("it does not answer Range requests");
        assert_eq!(judge(&status(200), far, 1 << 30), Err(unfit));
    }

    #[test]
    fn another_file_is_no_use() {
        assert!(is_unfit(&part("bytes 100-199/999", "100"), "999 bytes instead of 1000"));
        assert!(is_unfit(&part("bytes 0-199/1000", "200"), "other bytes"));
        assert!(is_unfit(&part("bytes 100-199/1000", "99"), "other bytes"));
        assert!(is_unfit(&part("pages 1-2/3", "100"), "which bytes"));
        assert!(is_unfit(&Answer { content_length: Some("999"), ..status(200) }, "another file"));
        assert!(is_unfit(&status(404), "does not have it") && is_unfit(&status(403), "everybody"));
        assert!(is_unfit(&status(416), "shorter") && is_unfit(&status(302), "302"));
    }

    #[test]
    fn a_busy_server_is_asked_again_when_it_says() {
        let busy = |retry_after| refusal(&Answer { retry_after, ..status(503) });
        let after = |seconds| FetchOutcome::Busy {
            reason: "it answers 503".into(),
            retry_after: Some(Duration::from_secs(seconds)),
        };
        assert_eq!(busy(Some("7")), after(7));
        assert_eq!(busy(Some("99999999")), after(600));
        assert_eq!(busy(Some("Fri, 31 Dec 2031 23:59:59 GMT")), FetchOutcome::busy("it answers 503"));
        assert!(matches!(refusal(&status(429)), FetchOutcome::Busy { .. }));
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(
            status in 0_u16..1_000,
            range in "(bytes )?[0-9*/ -]{0,45}",
            length in "[0-9 -]{0,25}",
            after in "[0-9a-z]{0,25}",
        ) {
            let answer = Answer {
                status, content_range: Some(&range), content_length: Some(&length), retry_after: Some(&after),
            };
            if let Ok(skip_bytes) = judge(&answer, ASKED, 1_000) {
                prop_assert!(skip_bytes <= SKIP_BYTES_MAX);
            }
        }
    }
}
