//! QR codes as SVG, for authenticator apps to scan.

use qrcodegen::{QrCode, QrCodeEcc};
use std::fmt::Write as _;

/// Width of the white border in modules (ISO/IEC 18004 §6.3.8).
const QUIET_ZONE: i32 = 4;

/// Width of a module in pixels, unless the image is scaled.
const MODULE: i32 = 4;

/// Draws a text as a QR code: one path, black on white, a module to a unit. Returns `None` if the text is
/// too long for a QR code.
pub(crate) fn svg(text: &str) -> Option<String> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let size = code.size() + 2 * QUIET_ZONE;
    let mut path = String::new();
    for y in 0..code.size() {
        let mut x = 0;
        while x < code.size() {
            let width = (x..code.size()).take_while(|&x| code.get_module(x, y)).map(|_| 1).sum::<i32>();
            if width > 0 {
                write!(path, "M{} {}h{width}v1h-{width}z", x + QUIET_ZONE, y + QUIET_ZONE).ok()?;
            }
            x += width.max(1);
        }
    }
    let width = size * MODULE;
    Some(format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" width="{width}" height="{width}" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h{size}v{size}H0z"/><path d="{path}"/></svg>"##
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads the path back into modules.
    fn drawn(svg: &str) -> Vec<(i32, i32)> {
        let (_, path) = svg.split_once(r#"<path d="M"#).unwrap();
        let (path, _) = path.split_once(r#"z"/></svg>"#).unwrap();
        let runs = path.split("zM").flat_map(|run| {
            let numbers: Vec<i32> = run.split([' ', 'h', 'v']).map(|number| number.parse().unwrap()).collect();
            let [x, y, width, 1, back] = numbers[..] else { panic!("{run}") };
            assert_eq!(width, -back);
            (x..x + width).map(move |x| (x, y))
        });
        runs.collect()
    }

    #[test]
    fn every_dark_module_is_drawn_once_inside_the_quiet_zone() {
        let text = "otpauth://totp/Portcullis:ada@example.org?issuer=Portcullis";
        let code = QrCode::encode_text(text, QrCodeEcc::Medium).unwrap();
        let all = (0..code.size()).flat_map(|y| (0..code.size()).map(move |x| (x, y)));
        let dark = all.filter(|&(x, y)| code.get_module(x, y)).map(|(x, y)| (x + 4, y + 4));
        let svg = svg(text).unwrap();
        assert_eq!(drawn(&svg), dark.collect::<Vec<_>>());
        let size = code.size() + 8;
        assert!(svg.contains(&format!(r#"viewBox="0 0 {size} {size}""#)), "{svg}");
    }

    #[test]
    fn a_text_that_is_too_long_has_no_code() {
        assert!(svg(&"é".repeat(1_000)).is_some() && svg(&"é".repeat(2_000)).is_none());
    }
}
