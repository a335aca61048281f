//! The tables of the data dictionary and their schemas (`spec/schemas/data`).

/// A table of the dictionary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its JSON Schema.
    pub schema: &'static str,
}

macro_rules! tables {
    ($($name:literal),+ $(,)?) => {
        &[$(Table {
            name: $name,
            schema: include_str!(concat!("../../../spec/schemas/data/", $name, ".schema.json")),
        }),+]
    };
}

/// Every table, in the dictionary's order.
pub const TABLES: &[Table] = tables![
    "biz_registration",
    "si_contribution_month",
    "utility_usage_month",
    "tax_payment_period",
    "tax_credit_rating_year",
    "vat_invoice",
    "property_event",
    "patent",
    "gov_subsidy",
    "judicial_event",
    "customs_month",
    "loan_outcome",
];

/// The table of this name.
pub fn table(name: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.name == name)
}
