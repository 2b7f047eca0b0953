//! Pictures as rows of red, green and blue, read and written as binary PPM (Netpbm's `P6`), which every program converts.

/// Most pixels of a picture: 100 megapixels.
pub const PIXELS_MAX: usize = 100_000_000;

/// A picture with 8 bits a colour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

/// Why something is no picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// Not PPM, or of another kind.
    #[error("this is no binary PPM picture (P6) with 8 bits a colour")]
    Format,
    /// No pixels, or more than [`PIXELS_MAX`].
    #[error("a picture has 1 to {PIXELS_MAX} pixels")]
    Size,
    /// It ends early, or goes on.
    #[error("the picture has not as many pixels as it says")]
    Length,
}

impl Picture {
    /// Rows of `width` pixels, of three bytes each.
    pub fn new(width: usize, height: usize, rgb: Vec<u8>) -> Result<Self, PictureError> {
        let pixels = width.checked_mul(height).filter(|pixels| (1..=PIXELS_MAX).contains(pixels));
        match pixels.ok_or(PictureError::Size)? * 3 == rgb.len() {
            true => Ok(Self { width, height, rgb }),
            false => Err(PictureError::Length),
        }
    }

    /// Reads `P6`, width, height, 255, one white space, pixels. Comments begin with `#`.
    pub fn from_ppm(bytes: &[u8]) -> Result<Self, PictureError> {
        let mut rest = bytes.strip_prefix(b"P6").ok_or(PictureError::Format)?;
        let mut number = || {
            let (value, after) = number(rest).ok_or(PictureError::Format)?;
            rest = after;
            Ok(value)
        };
        let (width, height, most) = (number()?, number()?, number()?);
        match rest.split_first() {
            Some((space, pixels)) if most == 255 && space.is_ascii_whitespace() => {
                Self::new(width, height, pixels.to_vec())
            }
            _ => Err(PictureError::Format),
        }
    }

    /// Writes what [`Picture::from_ppm`] reads.
    pub fn to_ppm(&self) -> Vec<u8> {
        [format!("P6\n{} {}\n255\n", self.width, self.height).as_bytes(), &self.rgb].concat()
    }

    /// Pixels of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// All pixels.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// How near another of the same size comes to this one: the peak signal-to-noise ratio in dB; infinite if equal.
    pub fn psnr_db(&self, other: &Self) -> f64 {
        let squares: u64 = self.rgb.iter().zip(&other.rgb).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum();
        20.0 * 255_f64.log10() - 10.0 * (squares as f64 / self.rgb.len() as f64).log10()
    }
}

/// The next number after white space and comments, and what follows it.
fn number(mut bytes: &[u8]) -> Option<(usize, &[u8])> {
    loop {
        bytes = bytes.trim_ascii_start();
        let Some(comment) = bytes.strip_prefix(b"#") else { break };
        bytes = &comment[comment.iter().position(|byte| *byte == b'\n')?..];
    }
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let value = core::str::from_utf8(&bytes[..digits]).ok()?.parse().ok()?;
    Some((value, &bytes[digits..]))
}
