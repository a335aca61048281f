//! Two languages side by side; the page's switch shows one of them.
use std::fmt::Write;

/// Escapes text for HTML and SVG.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// One text in English and Chinese, as HTML. Both are trusted markup: escape what is inserted.
pub fn both(en: &str, zh: &str) -> String {
    format!("<span class=\"en\" lang=\"en\">{en}</span><span class=\"zh\" lang=\"zh-Hans\">{zh}</span>")
}

/// A whole number with thousands separators.
pub fn whole(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Bytes in decimal units.
pub fn bytes(value: u64) -> String {
    let value = value as f64;
    match value {
        v if v >= 1e9 => format!("{:.2} GB", v / 1e9),
        v if v >= 1e8 => format!("{:.0} MB", v / 1e6),
        v if v >= 1e6 => format!("{:.1} MB", v / 1e6),
        v if v >= 1e3 => format!("{:.0} kB", v / 1e3),
        v => format!("{v:.0} B"),
    }
}

/// Seconds with two or three figures.
pub fn seconds(value: f64) -> String {
    if value >= 100.0 {
        format!("{value:.0} s")
    } else if value >= 10.0 {
        format!("{value:.1} s")
    } else {
        format!("{value:.2} s")
    }
}

/// A share of a whole, in per cent.
pub fn percent(part: u64, whole: u64) -> String {
    if whole == 0 { "–".to_owned() } else { format!("{:.1} %", 100.0 * part as f64 / whole as f64) }
}

/// 2 to a power, as HTML.
pub fn power_of_two(log2: Option<f64>) -> String {
    log2.map_or_else(|| "–".to_owned(), |log2| format!("2<sup>{:.0}</sup>", log2.ceil()).replace('-', "−"))
}

/// A table: heads and rows are HTML; the first column is text, the others are figures.
pub fn table(heads: &[String], rows: &[Vec<String>]) -> String {
    let mut out = String::from("<div class=\"scroll\"><table><thead><tr>");
    for head in heads {
        let _ = write!(out, "<th scope=\"col\">{head}</th>");
    }
    out.push_str("</tr></thead><tbody>");
    for row in rows {
        out.push_str("<tr>");
        for (index, cell) in row.iter().enumerate() {
            let _ = match index {
                0 => write!(out, "<th scope=\"row\">{cell}</th>"),
                _ => write!(out, "<td>{cell}</td>"),
            };
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!((whole(7), whole(1000), whole(1_234_567)), ("7".into(), "1,000".into(), "1,234,567".into()));
        assert_eq!(
            (bytes(999), bytes(292_300_000), bytes(5_430_000)),
            ("999 B".into(), "292 MB".into(), "5.4 MB".into())
        );
        assert_eq!(power_of_two(Some(-40.3)), "2<sup>−40</sup>");
    }

    #[test]
    fn names_cannot_become_markup() {
        assert_eq!(escape("<b>\"&'"), "&lt;b&gt;&quot;&amp;&#39;");
    }
}
