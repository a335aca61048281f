//! What a run leaves: `results.json`, `junit.xml`, `coverage.csv`, `index.html`, and the evidence beside them.

mod coverage;
mod html;
mod junit;
pub mod print;

use std::path::Path;

use crate::error::Result;
use crate::run::Results;

/// Writes the four files into `folder`.
///
/// # Errors
/// `Suite` where the folder cannot be written.
pub fn write(folder: &Path, results: &Results) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("results.json"), serde_json::to_vec_pretty(results)?)?;
    std::fs::write(folder.join("junit.xml"), junit::render(results))?;
    std::fs::write(folder.join("coverage.csv"), coverage::render(results))?;
    std::fs::write(folder.join("index.html"), html::render(results))?;
    Ok(())
}

/// Text that is safe between tags and in attributes.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() && c != '\n' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
