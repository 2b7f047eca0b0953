//! Rules for text that strangers wrote and people, file systems and browsers will read: file names and URLs.

/// Longest component of a path, in bytes: what file systems take.
pub(super) const COMPONENT_BYTES_MAX: usize = 255;
/// Longest path, in bytes.
pub(super) const PATH_BYTES_MAX: usize = 1024;
/// Longest URL, in bytes.
pub const URL_BYTES_MAX: usize = 2048;

/// Names that Windows gives to devices, whatever follows the first dot.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];
/// Devices that end in a digit; Windows takes the superscript ones too.
const NUMBERED_DEVICES: [&str; 2] = ["com", "lpt"];
const DEVICE_DIGITS: &str = "123456789¹²³";

/// A path that can be written below a folder on any system and looks like what it is. Says why not otherwise.
pub(super) fn check_path(path: &str) -> Result<(), &'static str> {
    if path.is_empty() {
        return Err("it is empty");
    }
    if path.len() > PATH_BYTES_MAX {
        return Err("it is longer than 1024 bytes");
    }
    if path.starts_with('/') {
        return Err("it begins with a slash");
    }
    path.split('/').try_for_each(check_component)
}

/// One component of a path.
pub(super) fn check_component(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("a part of it is empty");
    }
    if name == "." || name == ".." {
        return Err("a part of it is '.' or '..'");
    }
    if name.len() > COMPONENT_BYTES_MAX {
        return Err("a part of it is longer than 255 bytes");
    }
    if name.contains('/') || name.contains('\\') {
        return Err("it has a slash or backslash within a name");
    }
    if name.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
        return Err("it has a control character");
    }
    if name.chars().any(turns_text_around) {
        return Err("it has a character that turns text around, which can hide a file's true type");
    }
    if name.ends_with(['.', ' ']) {
        return Err("a part of it ends with a dot or a space");
    }
    if begins_with_drive(name) {
        return Err("a part of it begins like a Windows drive");
    }
    if is_device(name) {
        return Err("a part of it is a name that Windows reserves for a device");
    }
    Ok(())
}

/// Embeddings, overrides and isolates of the bidirectional algorithm (UAX 9): with them `exe.fdp` reads `pdf.exe`.
/// The plain marks, which right-to-left names may need, can't do that to a run of letters.
fn turns_text_around(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn begins_with_drive(name: &str) -> bool {
    matches!(name.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic())
}

fn is_device(name: &str) -> bool {
    let stem = name.split(['.', ':']).next().unwrap_or(name).trim_end_matches(' ').to_lowercase();
    let is_numbered = |device: &str| {
        let mut digit = stem.strip_prefix(device).unwrap_or("").chars();
        digit.next().is_some_and(|c| DEVICE_DIGITS.contains(c)) && digit.next().is_none()
    };
    DEVICES.contains(&stem.as_str()) || NUMBERED_DEVICES.into_iter().any(is_numbered)
}

/// An absolute URL of one of these schemes, without user name, fragment or anything that needs escaping. Its host
/// and path may be in any script. Says why not otherwise.
pub(super) fn check_url(url: &str, schemes: &[&str]) -> Result<(), &'static str> {
    if url.len() > URL_BYTES_MAX {
        return Err("it is longer than 2048 bytes");
    }
    if url.chars().any(|c| c.is_control() || c.is_whitespace() || turns_text_around(c) || "\"<>\\^`{|}#".contains(c)) {
        return Err("it has a character that no URL has");
    }
    let (scheme, rest) = url.split_once("://").ok_or("it has no '://'")?;
    if !schemes.iter().any(|known| known.eq_ignore_ascii_case(scheme)) {
        return Err("it does not begin with one of the protocols that are used here");
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    check_authority(&rest[..end])
}

/// `HOST` or `HOST:PORT`.
fn check_authority(authority: &str) -> Result<(), &'static str> {
    if authority.contains('@') {
        return Err("it has a user name");
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, behind) = rest.split_once(']').ok_or("its address has no ']'")?;
            if address.is_empty() || !address.chars().all(|c| c.is_ascii_hexdigit() || c == ':' || c == '.') {
                return Err("its address is not valid");
            }
            (address, behind)
        }
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    if host.is_empty() {
        return Err("it has no host");
    }
    if !authority.starts_with('[') && !host.chars().all(|c| c.is_alphanumeric() || "-._~%".contains(c)) {
        return Err("its host is not valid");
    }
    let port_is_good = match port.strip_prefix(':') {
        Some(digits) => digits.bytes().all(|b| b.is_ascii_digit()) && digits.parse::<u16>().is_ok(),
        None => port.is_empty(),
    };
    if port_is_good { Ok(()) } else { Err("its port is not valid") }
}

/// The longest beginning of `text` that is whole characters and no longer than `bytes_max`.
pub fn cut_text(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
