//! The link as a QR code in the terminal, for a phone's camera.

use console::{Term, style};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

/// The code, two modules a character high, with the quiet zone that cameras need; `None` if the terminal is too small
/// or the text too long.
pub(crate) fn render(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, qrcode::EcLevel::L).ok()?;
    let colours = console::colors_enabled_stderr();
    let mut renderer = code.render::<Dense1x2>();
    renderer.quiet_zone(true);
    if !colours {
        // Most terminals are dark: draw what is light.
        renderer.dark_color(Dense1x2::Light).light_color(Dense1x2::Dark);
    }
    let image = renderer.build();
    let width = image.lines().next()?.chars().count();
    let (rows, columns) = Term::stderr().size_checked()?;
    if usize::from(columns) < width || usize::from(rows) < image.lines().count() / 2 {
        return None;
    }
    if !colours {
        return Some(image);
    }
    // Black on white whatever the terminal's theme, as cameras expect it.
    let lines = image.lines().map(|line| style(line).for_stderr().color256(16).on_color256(231).to_string());
    Some(lines.collect::<Vec<_>>().join("\n"))
}
