//! From a JSON Schema to columns that can be judged.
use super::formats::{Format, Implied};
use super::judge::{Bound, Cell, Column, Pattern, Types};
use crate::Error;
use hefu_core::Place;
use regex::RegexBuilder;
use serde_json::{Map, Value};

/// How deep one local reference may lead to another.
const MAX_REFERENCES: usize = 16;
/// Bytes of a compiled pattern at most.
const MAX_PATTERN: usize = 1 << 20;
/// Keywords that say something to people, and bind nothing.
const ANNOTATIONS: [&str; 10] =
    ["$schema", "$id", "$comment", "$defs", "title", "description", "default", "examples", "deprecated", "readOnly"];

/// The compiled schema of a flat table: one object a row, no cell with parts of its own.
///
/// Of JSON Schema 2020-12 it knows `type`, `enum`, `const`, `format`, `pattern`, the lengths and ranges, `properties`,
/// `required`, `additionalProperties` (true or false), local `$ref`, annotations and every `x-` word. `format` binds;
/// it is `uscc`, `period-yyyymm`, `date` or `decimal(p,s)`. Any other keyword or format is refused rather than
/// passed over. Nothing is ever fetched.
#[derive(Debug)]
pub struct RowSchema {
    pub(super) columns: Vec<Column>,
    /// Whether a column must be there.
    pub(super) required: Vec<bool>,
    /// Whether columns that the schema does not name are let through.
    pub(super) additional: bool,
    /// Columns by name, sorted.
    by_name: Vec<(String, usize)>,
}

impl RowSchema {
    /// Compiles a schema; `name` is what messages call it.
    ///
    /// # Errors
    /// `BadSchema` with a JSON pointer to what is wrong; `RemoteReference`.
    pub fn compile(text: &str, name: &str) -> Result<RowSchema, Error> {
        let bad = |at: &str, problem| Error::BadSchema { schema: name.to_owned(), at: at.to_owned(), problem };
        let document: Value = serde_json::from_str(text).map_err(|_| bad("#", "is not JSON"))?;
        let compiler = Compiler { name, document: &document };
        compiler.refuse_remote(&document, "#")?;
        compiler.table()
    }

    /// Judges no cell of this column any more; that the column is there stays required. False where it is unknown.
    pub fn leave(&mut self, column: &str) -> bool {
        let all = Types { null: true, text: true, boolean: true, integer: true, number: true, nested: true };
        let known = self.place_of(column).and_then(|at| self.columns.get_mut(at));
        known.map(|known| *known = Column { name: column.to_owned(), types: all, ..Column::default() }).is_some()
    }

    /// Names of the columns, in the schema's order.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|c| c.name.as_str())
    }

    pub(super) fn place_of(&self, name: &str) -> Option<usize> {
        let at = self.by_name.binary_search_by(|(other, _)| other.as_str().cmp(name)).ok()?;
        self.by_name.get(at).map(|(_, column)| *column)
    }

    /// Which column stands in each field of a header; none for those let through.
    pub(super) fn of_header(
        &self,
        header: &[String],
        place: impl Fn(&str) -> Place,
    ) -> Result<Vec<Option<usize>>, Error> {
        let mut seen = std::collections::HashSet::new();
        if let Some(name) = header.iter().find(|name| !seen.insert(*name)) {
            return Err(Error::ColumnTwice(place(name)));
        }
        let columns: Vec<_> = header.iter().map(|name| self.place_of(name)).collect();
        for (column, _) in self.columns.iter().zip(&self.required).filter(|(_, required)| **required) {
            if !seen.contains(&column.name) {
                return Err(Error::MissingColumn(place(&column.name)));
            }
        }
        match header.iter().zip(&columns).find(|(_, column)| column.is_none()) {
            Some((name, _)) if !self.additional => Err(Error::UnknownColumn(place(name))),
            _ => Ok(columns),
        }
    }
}

struct Compiler<'a> {
    name: &'a str,
    document: &'a Value,
}

impl Compiler<'_> {
    fn bad(&self, at: &str, problem: &'static str) -> Error {
        Error::BadSchema { schema: self.name.to_owned(), at: at.to_owned(), problem }
    }

    /// Whatever else the document holds, a reference that leaves it is named first.
    fn refuse_remote(&self, value: &Value, at: &str) -> Result<(), Error> {
        match value {
            Value::Object(map) => map.iter().try_for_each(|(key, inner)| {
                let here = format!("{at}/{}", escape(key));
                if matches!(key.as_str(), "$ref" | "$dynamicRef") && inner.as_str().is_some_and(|r| !r.starts_with('#'))
                {
                    return Err(Error::RemoteReference { schema: self.name.to_owned(), at: here });
                }
                self.refuse_remote(inner, &here)
            }),
            Value::Array(items) => {
                items.iter().enumerate().try_for_each(|(i, inner)| self.refuse_remote(inner, &format!("{at}/{i}")))
            }
            _ => Ok(()),
        }
    }

    fn table(&self) -> Result<RowSchema, Error> {
        let root = self.document.as_object().ok_or_else(|| self.bad("#", "is not an object"))?;
        let draft = root.get("$schema").map(|d| d.as_str().map(|d| d.trim_end_matches('#')));
        if draft.is_some_and(|d| d != Some("https://json-schema.org/draft/2020-12/schema")) {
            return Err(self.bad("#/$schema", "is not draft 2020-12"));
        }
        let known = ["type", "properties", "required", "additionalProperties"];
        self.only(root, "#", &known)?;
        if root.get("type").and_then(Value::as_str) != Some("object") {
            return Err(self.bad("#/type", "must be \"object\": a row is one"));
        }
        let properties = root.get("properties").and_then(Value::as_object);
        let properties = properties.ok_or_else(|| self.bad("#/properties", "must be an object of columns"))?;
        if properties.is_empty() {
            return Err(self.bad("#/properties", "has no columns"));
        }
        let column = |(name, part): (&String, &Value)| {
            let column = self.column(part, &format!("#/properties/{}", escape(name)), 0)?;
            Ok(Column { name: name.clone(), ..column })
        };
        let columns = properties.iter().map(column).collect::<Result<Vec<_>, _>>()?;
        let mut by_name: Vec<_> = columns.iter().enumerate().map(|(i, c)| (c.name.clone(), i)).collect();
        by_name.sort();
        let additional = match root.get("additionalProperties") {
            None => true,
            Some(Value::Bool(allowed)) => *allowed,
            Some(_) => return Err(self.bad("#/additionalProperties", "must be true or false")),
        };
        let mut schema = RowSchema { required: vec![false; columns.len()], columns, additional, by_name };
        self.mark_required(root.get("required"), &mut schema)?;
        Ok(schema)
    }

    fn mark_required(&self, required: Option<&Value>, schema: &mut RowSchema) -> Result<(), Error> {
        let Some(required) = required else { return Ok(()) };
        let names = required.as_array().ok_or_else(|| self.bad("#/required", "must be an array of names"))?;
        for (i, name) in names.iter().enumerate() {
            let at = format!("#/required/{i}");
            let name = name.as_str().ok_or_else(|| self.bad(&at, "must be a name"))?;
            let column = schema.place_of(name).ok_or_else(|| self.bad(&at, "is no name of #/properties"))?;
            if std::mem::replace(&mut schema.required[column], true) {
                return Err(self.bad(&at, "stands twice"));
            }
        }
        Ok(())
    }

    /// No keyword but annotations, `x-` words and those known.
    fn only(&self, map: &Map<String, Value>, at: &str, known: &[&str]) -> Result<(), Error> {
        let is_known = |key: &str| known.contains(&key) || ANNOTATIONS.contains(&key) || key.starts_with("x-");
        match map.keys().find(|key| !is_known(key)) {
            Some(key) => Err(self.bad(&format!("{at}/{}", escape(key)), "is no keyword of a flat table's schema")),
            None => Ok(()),
        }
    }

    fn column(&self, part: &Value, at: &str, depth: usize) -> Result<Column, Error> {
        let map = part.as_object().ok_or_else(|| self.bad(at, "is not an object"))?;
        if let Some(reference) = map.get("$ref") {
            self.only(map, at, &["$ref"])?;
            let pointer = reference.as_str().and_then(|r| r.strip_prefix('#'));
            let target = pointer.and_then(|p| self.document.pointer(p));
            let target = target.ok_or_else(|| self.bad(&format!("{at}/$ref"), "leads nowhere"))?;
            if depth >= MAX_REFERENCES {
                return Err(self.bad(&format!("{at}/$ref"), "goes through too many references"));
            }
            return self.column(target, &format!("#{}", pointer.unwrap_or_default()), depth + 1);
        }
        let known = [
            "type",
            "enum",
            "const",
            "format",
            "pattern",
            "minLength",
            "maxLength",
            "minimum",
            "maximum",
            "exclusiveMinimum",
            "exclusiveMaximum",
        ];
        self.only(map, at, &known)?;
        let one_of = self.one_of(map, at)?;
        let format = self.format(map, at)?;
        let min_length = self.length(map, at, "minLength")?.unwrap_or(0);
        Ok(Column {
            name: String::new(),
            types: self.types(map, at, one_of.as_deref())?,
            one_of,
            format,
            pattern: self.pattern(map, at, format)?,
            min_length,
            max_length: self.length(map, at, "maxLength")?,
            minimum: self.bounds(map, at, ["minimum", "exclusiveMinimum"])?,
            maximum: self.bounds(map, at, ["maximum", "exclusiveMaximum"])?,
        })
    }

    /// The types of `type`, else those of the listed values, else all.
    fn types(&self, map: &Map<String, Value>, at: &str, one_of: Option<&[Cell<String>]>) -> Result<Types, Error> {
        let mut types = Types::default();
        let Some(named) = map.get("type") else {
            for cell in one_of.unwrap_or_default() {
                match cell {
                    Cell::Null => types.null = true,
                    Cell::Bool(_) => types.boolean = true,
                    Cell::Number(_) => types.number = true,
                    Cell::Text(_) => types.text = true,
                    Cell::Nested => types.nested = true,
                }
            }
            let all = Types { null: true, text: true, boolean: true, integer: true, number: true, nested: true };
            return Ok(if one_of.is_some() { types } else { all });
        };
        let at = format!("{at}/type");
        let names = match named {
            Value::Array(names) if !names.is_empty() => names.as_slice(),
            Value::String(_) => std::slice::from_ref(named),
            _ => return Err(self.bad(&at, "must be a type or an array of types")),
        };
        for name in names {
            let flag = match name.as_str() {
                Some("null") => &mut types.null,
                Some("string") => &mut types.text,
                Some("boolean") => &mut types.boolean,
                Some("integer") => &mut types.integer,
                Some("number") => &mut types.number,
                Some("object" | "array") => return Err(self.bad(&at, "a cell of a flat table has no parts")),
                _ => return Err(self.bad(&at, "is no type of JSON Schema")),
            };
            if std::mem::replace(flag, true) {
                return Err(self.bad(&at, "names a type twice"));
            }
        }
        Ok(types)
    }

    fn one_of(&self, map: &Map<String, Value>, at: &str) -> Result<Option<Vec<Cell<String>>>, Error> {
        let (values, at) = match (map.get("enum"), map.get("const")) {
            (None, None) => return Ok(None),
            (Some(Value::Array(values)), None) => (values.as_slice(), format!("{at}/enum")),
            (None, Some(value)) => (std::slice::from_ref(value), format!("{at}/const")),
            _ => return Err(self.bad(&format!("{at}/enum"), "must be an array, without const beside it")),
        };
        let cell = |value: &Value| match value {
            Value::Null => Ok(Cell::Null),
            Value::Bool(value) => Ok(Cell::Bool(*value)),
            Value::Number(value) => Ok(Cell::Number(value.as_f64().unwrap_or(f64::NAN))),
            Value::String(value) => Ok(Cell::Text(value.clone())),
            Value::Array(_) | Value::Object(_) => Err(self.bad(&at, "a cell of a flat table has no parts")),
        };
        values.iter().map(cell).collect::<Result<_, _>>().map(Some)
    }

    fn format(&self, map: &Map<String, Value>, at: &str) -> Result<Option<Format>, Error> {
        let Some(format) = map.get("format") else { return Ok(None) };
        let named = format.as_str().and_then(Format::named);
        named.map(Some).ok_or_else(|| self.bad(&format!("{at}/format"), "is no format that this program can check"))
    }

    fn pattern(&self, map: &Map<String, Value>, at: &str, format: Option<Format>) -> Result<Option<Pattern>, Error> {
        let Some(pattern) = map.get("pattern") else { return Ok(None) };
        let at = format!("{at}/pattern");
        let text = pattern.as_str().ok_or_else(|| self.bad(&at, "must be a text"))?;
        let regex = RegexBuilder::new(&ascii_classes(text)).size_limit(MAX_PATTERN).build();
        let regex = regex.map_err(|_| self.bad(&at, "is no regular expression that this program can check"))?;
        Ok(Pattern::new(regex, format.map_or(Implied::No, |f| f.implies(text))))
    }

    fn length(&self, map: &Map<String, Value>, at: &str, key: &str) -> Result<Option<usize>, Error> {
        let Some(length) = map.get(key) else { return Ok(None) };
        let length = length.as_u64().and_then(|v| usize::try_from(v).ok());
        length.map(Some).ok_or_else(|| self.bad(&format!("{at}/{key}"), "must be a whole number from 0"))
    }

    fn bounds(&self, map: &Map<String, Value>, at: &str, keys: [&str; 2]) -> Result<Vec<Bound>, Error> {
        let mut bounds = Vec::new();
        for (key, exclusive) in keys.into_iter().zip([false, true]) {
            if let Some(bound) = map.get(key) {
                let value = bound.as_f64().ok_or_else(|| self.bad(&format!("{at}/{key}"), "must be a number"))?;
                bounds.push(Bound { value, exclusive });
            }
        }
        Ok(bounds)
    }
}

/// A name inside a JSON pointer.
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// `\d` and `\w` of JSON Schema are those of ASCII.
fn ascii_classes(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('d')) => out.push_str("[0-9]"),
            ('\\', Some('w')) => out.push_str("[0-9A-Za-z_]"),
            (c, next) => {
                out.push(c);
                out.extend(next);
            }
        }
    }
    out
}
