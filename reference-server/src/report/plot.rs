//! A plot: axes, lines, bars and words as inline SVG whose colours come from the page's style sheet.
use super::words::escape;
use std::fmt::Write;

/// Where a word stands against its anchor.
#[derive(Clone, Copy)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    fn as_str(self) -> &'static str {
        match self {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        }
    }
}

/// Space around the drawing area, in user units.
#[derive(Clone, Copy)]
pub struct Margin {
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
}

/// A drawing area with one scale a direction.
pub struct Plot {
    width: f64,
    height: f64,
    margin: Margin,
    x: (f64, f64),
    y: (f64, f64),
    body: String,
}

impl Plot {
    /// An empty plot whose scales run from the first to the second value.
    pub fn new(width: f64, height: f64, margin: Margin, x: (f64, f64), y: (f64, f64)) -> Self {
        Plot { width, height, margin, x, y, body: String::new() }
    }

    /// Horizontal place of a value.
    pub fn at_x(&self, value: f64) -> f64 {
        let span = (self.x.1 - self.x.0).max(f64::MIN_POSITIVE);
        self.margin.left + (value - self.x.0) / span * (self.width - self.margin.left - self.margin.right)
    }

    /// Vertical place of a value; larger values stand higher.
    pub fn at_y(&self, value: f64) -> f64 {
        let span = (self.y.1 - self.y.0).max(f64::MIN_POSITIVE);
        self.height
            - self.margin.bottom
            - (value - self.y.0) / span * (self.height - self.margin.top - self.margin.bottom)
    }

    /// A straight line between two places, in values.
    pub fn segment(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let (x1, y1, x2, y2) = (self.at_x(from.0), self.at_y(from.1), self.at_x(to.0), self.at_y(to.1));
        let _ =
            write!(self.body, "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>");
    }

    /// A line through points, in values.
    pub fn line(&mut self, class: &str, points: impl IntoIterator<Item = (f64, f64)>) {
        let mut path = String::new();
        for (x, y) in points {
            let _ = write!(path, "{:.1},{:.1} ", self.at_x(x), self.at_y(y));
        }
        let _ = write!(self.body, "<polyline class=\"{class}\" points=\"{}\"/>", path.trim_end());
    }

    /// A filled shape through points, in values.
    pub fn shape(&mut self, class: &str, points: impl IntoIterator<Item = (f64, f64)>) {
        let mut path = String::new();
        for (x, y) in points {
            let _ = write!(path, "{:.1},{:.1} ", self.at_x(x), self.at_y(y));
        }
        let _ = write!(self.body, "<polygon class=\"{class}\" points=\"{}\"/>", path.trim_end());
    }

    /// A dot, in values, with a title for the pointer.
    pub fn dot(&mut self, class: &str, at: (f64, f64), radius: f64, title: &str) {
        let (x, y) = (self.at_x(at.0), self.at_y(at.1));
        let title = escape(title);
        let _ = write!(
            self.body,
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\"><title>{title}</title></circle>"
        );
    }

    /// A box in user units, with a title for the pointer.
    pub fn bar(&mut self, class: &str, (x, y): (f64, f64), (width, height): (f64, f64), title: &str) {
        let title = escape(title);
        let _ = write!(
            self.body,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"1.5\">\
             <title>{title}</title></rect>",
            width.max(0.0),
            height.max(0.0)
        );
    }

    /// A box between two corners, in values, with a title for the pointer.
    pub fn block(&mut self, class: &str, from: (f64, f64), to: (f64, f64), title: &str) {
        let (x1, x2) = (self.at_x(from.0.min(to.0)), self.at_x(from.0.max(to.0)));
        let (y1, y2) = (self.at_y(from.1.max(to.1)), self.at_y(from.1.min(to.1)));
        self.bar(class, (x1, y1), (x2 - x1, y2 - y1), title);
    }

    /// A word in user units.
    pub fn word(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        let (anchor, text) = (anchor.as_str(), escape(text));
        let _ = write!(
            self.body,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
        );
    }

    /// A word in both languages, in user units.
    pub fn words(&mut self, class: &str, at: (f64, f64), anchor: Anchor, (en, zh): (&str, &str)) {
        self.word(&format!("en {class}"), at, anchor, en);
        self.word(&format!("zh {class}"), at, anchor, zh);
    }

    /// Marks and their words under the drawing area.
    pub fn ticks_x(&mut self, ticks: impl IntoIterator<Item = (f64, String)>) {
        let (low, high) = self.y;
        for (value, text) in ticks {
            self.segment("grid", (value, low), (value, high));
            let at = (self.at_x(value), self.height - self.margin.bottom + 17.0);
            self.word("tick", at, Anchor::Middle, &text);
        }
    }

    /// Marks and their words left of the drawing area.
    pub fn ticks_y(&mut self, ticks: impl IntoIterator<Item = (f64, String)>) {
        let (low, high) = self.x;
        for (value, text) in ticks {
            self.segment("grid", (low, value), (high, value));
            let at = (self.margin.left - 7.0, self.at_y(value) + 4.0);
            self.word("tick", at, Anchor::End, &text);
        }
    }

    /// What the horizontal scale counts.
    pub fn name_x(&mut self, name: (&str, &str)) {
        let x = (self.margin.left + self.width - self.margin.right) / 2.0;
        self.words("axis", (x, self.height - 6.0), Anchor::Middle, name);
    }

    /// What the vertical scale counts, above it.
    pub fn name_y(&mut self, name: (&str, &str)) {
        self.words("axis", (6.0, 14.0), Anchor::Start, name);
    }

    /// The picture; `title` is what a screen reader says.
    pub fn finish(self, title: &str) -> String {
        let (width, height, title, body) = (self.width, self.height, escape(title), self.body);
        format!("<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{title}\">{body}</svg>")
    }
}

/// Five to eight round steps that cover `low` to `high`.
pub fn round_ticks(low: f64, high: f64) -> Vec<f64> {
    let span = (high - low).max(f64::MIN_POSITIVE);
    let magnitude = 10f64.powf((span / 5.0).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|m| m * magnitude)
        .find(|step| span / step <= 7.0)
        .unwrap_or(10.0 * magnitude);
    let first = (low / step).ceil();
    (0..10).map(|i| (first + f64::from(i)) * step).take_while(|v| *v <= high + step * 1e-9).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let ticks = round_ticks(0.63, 0.74);
        assert!(ticks.len() >= 4 && ticks.iter().all(|t| (0.63..=0.7401).contains(t)), "{ticks:?}");
        assert!(!round_ticks(0.0, 0.0).is_empty());
    }

    #[test]
    fn scales_map_ends_to_margins() {
        let margin = Margin { left: 10.0, right: 20.0, top: 5.0, bottom: 15.0 };
        let plot = Plot::new(200.0, 100.0, margin, (0.0, 1.0), (0.0, 2.0));
        assert_eq!((plot.at_x(0.0), plot.at_x(1.0), plot.at_y(0.0), plot.at_y(2.0)), (10.0, 180.0, 85.0, 5.0));
    }
}
