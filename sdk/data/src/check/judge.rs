//! Judging one cell.
use super::formats::{Format, Implied};
use crate::parse_decimal;
use regex::Regex;

/// What a row or cell can break: keywords of JSON Schema, and what comes before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(usize)]
#[non_exhaustive]
pub enum Rule {
    /// The row has more or fewer cells than the header.
    Fields,
    /// A quote stands inside a cell that is not quoted, or text after a closing quote.
    Quotes,
    /// The line is not one JSON object.
    Json,
    /// A member stands twice.
    Duplicate,
    /// A member is absent.
    Required,
    /// A member of which the schema knows nothing.
    AdditionalProperties,
    /// The value is empty or null and must not be.
    Null,
    /// The value has another type.
    Type,
    /// The value is not one of those listed.
    Enum,
    /// The text does not have its format: a failed check character, no day of the calendar, no such decimal.
    Format,
    /// The text does not match its pattern.
    Pattern,
    /// The text is too short.
    MinLength,
    /// The text is too long.
    MaxLength,
    /// The number is too small.
    Minimum,
    /// The number is too large.
    Maximum,
}

impl Rule {
    /// Every rule, in order.
    pub const ALL: [Rule; 15] = [
        Rule::Fields,
        Rule::Quotes,
        Rule::Json,
        Rule::Duplicate,
        Rule::Required,
        Rule::AdditionalProperties,
        Rule::Null,
        Rule::Type,
        Rule::Enum,
        Rule::Format,
        Rule::Pattern,
        Rule::MinLength,
        Rule::MaxLength,
        Rule::Minimum,
        Rule::Maximum,
    ];

    /// Its word: the JSON Schema keyword where there is one.
    pub fn as_str(self) -> &'static str {
        match self {
            Rule::Fields => "fields",
            Rule::Quotes => "quotes",
            Rule::Json => "json",
            Rule::Duplicate => "duplicate",
            Rule::Required => "required",
            Rule::AdditionalProperties => "additionalProperties",
            Rule::Null => "null",
            Rule::Type => "type",
            Rule::Enum => "enum",
            Rule::Format => "format",
            Rule::Pattern => "pattern",
            Rule::MinLength => "minLength",
            Rule::MaxLength => "maxLength",
            Rule::Minimum => "minimum",
            Rule::Maximum => "maximum",
        }
    }
}

/// A value of a cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell<T> {
    Null,
    Bool(bool),
    Number(f64),
    Text(T),
    /// An array or an object.
    Nested,
}

/// The types that a column takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Types {
    pub(super) null: bool,
    pub(super) text: bool,
    pub(super) boolean: bool,
    pub(super) integer: bool,
    pub(super) number: bool,
    pub(super) nested: bool,
}

/// Whether the end of a range is allowed itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bound {
    pub(super) value: f64,
    pub(super) exclusive: bool,
}

/// The compiled schema of a column.
#[derive(Debug, Default)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) types: Types,
    pub(super) one_of: Option<Vec<Cell<String>>>,
    pub(super) format: Option<Format>,
    pub(super) pattern: Option<Pattern>,
    pub(super) min_length: usize,
    pub(super) max_length: Option<usize>,
    pub(super) minimum: Vec<Bound>,
    pub(super) maximum: Vec<Bound>,
}

/// What is left of a pattern beside the column's format.
#[derive(Debug)]
pub(super) enum Pattern {
    NoSign,
    Regex(Regex),
}

impl Pattern {
    pub(super) fn new(regex: Regex, implied: Implied) -> Option<Pattern> {
        match implied {
            Implied::No => Some(Pattern::Regex(regex)),
            Implied::ButSign => Some(Pattern::NoSign),
            Implied::Whole => None,
        }
    }

    fn accepts(&self, text: &str) -> bool {
        match self {
            Pattern::NoSign => !text.starts_with('-'),
            Pattern::Regex(regex) => regex.is_match(text),
        }
    }
}

impl Column {
    /// The rule that a CSV cell breaks first; a text is read as the type of the column.
    pub(super) fn judge_text(&self, text: &str) -> Option<Rule> {
        if text.is_empty() {
            return self.judge::<&str>(&Cell::Null);
        }
        if self.types.text {
            return self.judge_string(text);
        }
        let number = if self.types.number {
            parse_decimal(text)
        } else if self.types.integer && is_integer(text) {
            text.parse().ok()
        } else {
            None
        };
        match (number, text) {
            (Some(number), _) => self.judge_number(number),
            (None, "true" | "false") if self.types.boolean => self.listed::<&str>(&Cell::Bool(text == "true")),
            _ => Some(Rule::Type),
        }
    }

    /// The rule that a value breaks first.
    pub(super) fn judge<T: AsRef<str>>(&self, cell: &Cell<T>) -> Option<Rule> {
        match cell {
            Cell::Null if self.types.null => self.listed(cell),
            Cell::Null => Some(Rule::Null),
            Cell::Text(text) if self.types.text => self.judge_string(text.as_ref()),
            Cell::Number(number) if self.types.number || self.types.integer && number.fract() == 0.0 => {
                self.judge_number(*number)
            }
            Cell::Bool(_) if self.types.boolean => self.listed(cell),
            Cell::Nested if self.types.nested => None,
            _ => Some(Rule::Type),
        }
    }

    fn listed<T: AsRef<str>>(&self, cell: &Cell<T>) -> Option<Rule> {
        let one_of = self.one_of.as_ref()?;
        let is_same = |other: &Cell<String>| match (cell, other) {
            (Cell::Null, Cell::Null) => true,
            (Cell::Bool(a), Cell::Bool(b)) => a == b,
            (Cell::Number(a), Cell::Number(b)) => a == b,
            (Cell::Text(a), Cell::Text(b)) => a.as_ref() == b,
            _ => false,
        };
        (!one_of.iter().any(is_same)).then_some(Rule::Enum)
    }

    fn judge_string(&self, text: &str) -> Option<Rule> {
        if self.one_of.is_some() && self.listed(&Cell::Text(text)).is_some() {
            return Some(Rule::Enum);
        }
        if self.format.is_some_and(|format| !format.accepts(text)) {
            return Some(Rule::Format);
        }
        if self.pattern.as_ref().is_some_and(|pattern| !pattern.accepts(text)) {
            return Some(Rule::Pattern);
        }
        if self.min_length <= 1 && self.max_length.is_none_or(|most| text.len() <= most) {
            return (self.min_length > text.len()).then_some(Rule::MinLength);
        }
        let length = text.chars().count();
        if length < self.min_length {
            return Some(Rule::MinLength);
        }
        self.max_length.is_some_and(|most| length > most).then_some(Rule::MaxLength)
    }

    fn judge_number(&self, number: f64) -> Option<Rule> {
        if let Some(rule) = self.listed::<&str>(&Cell::Number(number)) {
            return Some(rule);
        }
        let below = |bound: &Bound| number < bound.value || bound.exclusive && number == bound.value;
        let above = |bound: &Bound| number > bound.value || bound.exclusive && number == bound.value;
        if self.minimum.iter().any(below) {
            return Some(Rule::Minimum);
        }
        self.maximum.iter().any(above).then_some(Rule::Maximum)
    }
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}
