//! What each party's file says of an enterprise.
use super::code::{code, full_width, with_bad_check};
use super::numbers::Numbers;
use super::{KEY, LABEL, Stream, Traits};
use std::fmt::Write;

/// A party's file.
pub(super) struct Table {
    pub(super) stream: Stream,
    /// Share of the enterprises that the party knows.
    coverage: f64,
    has_label: bool,
    /// Name, decimals, and the view of the traits.
    columns: &'static [(&'static str, usize, View)],
}

type View = fn(&Traits, &mut Numbers) -> f64;

/// Loans and accounts: leverage and quality, through much noise. Amounts in thousand yuan.
pub(super) const BANK: Table = Table {
    stream: Stream::Bank,
    coverage: 0.9,
    has_label: true,
    columns: &[
        ("loan_amount", 0, |t, n| 800.0 * skewed(0.6 * t.size + 0.5 * n.normal())),
        ("account_months", 0, |t, n| (t.months * (0.2 + 0.8 * n.uniform())).min(240.0)),
        ("debt_ratio", 3, |t, n| (0.55 + 0.14 * (0.6 * t.leverage + 0.8 * n.normal())).clamp(0.01, 1.5)),
        ("current_ratio", 2, |t, n| 1.4 * skewed(0.4 * t.quality - 0.25 * t.leverage + 0.9 * n.normal())),
        ("late_payments_24m", 0, |t, n| counted(n, -0.7 + 0.35 * t.leverage - 0.3 * t.quality, 24)),
        ("balance_volatility", 3, |t, n| 0.35 * skewed(0.3 * t.concentration - 0.3 * t.size + 0.9 * n.normal())),
    ],
};

/// Declarations and payments: quality and growth. Amounts in thousand yuan.
pub(super) const TAX: Table = Table {
    stream: Stream::Tax,
    coverage: 0.92,
    has_label: false,
    columns: &[
        ("sales_12m", 0, |t, n| 9000.0 * skewed(0.8 * t.size + 0.2 * t.growth + 0.4 * n.normal())),
        ("sales_growth_12m", 3, |t, n| 0.06 + 0.22 * (0.85 * t.growth + 0.5 * n.normal()) - shell(t, 0.2)),
        ("vat_burden", 4, |t, n| (0.03 + 0.011 * (0.6 * t.quality + 0.8 * n.normal())).max(0.0)),
        ("gross_margin", 3, |t, n| 0.24 + 0.09 * (0.7 * t.quality + 0.7 * n.normal())),
        ("zero_declaration_months_24m", 0, |t, n| counted(n, -0.6 - 0.35 * t.quality + shell(t, 1.0), 24)),
        ("late_filings_24m", 0, |t, n| counted(n, -0.5 - 0.55 * t.quality + 0.2 * t.leverage, 24)),
        ("top_buyer_share", 3, |t, n| (0.42 + 0.15 * (0.85 * t.concentration + 0.5 * n.normal())).clamp(0.02, 1.0)),
    ],
};

/// Meters and bills: activity and liquidity. Energy in megawatt hours.
pub(super) const POWER: Table = Table {
    stream: Stream::Power,
    coverage: 0.85,
    has_label: false,
    columns: &[
        ("usage_12m", 1, |t, n| 260.0 * skewed(0.7 * t.size + 0.2 * t.growth + 0.5 * n.normal() - shell(t, 1.5))),
        ("usage_slope_12m", 4, |t, n| 0.018 * (0.75 * t.growth + 0.65 * n.normal())),
        ("idle_months_24m", 0, |t, n| counted(n, -0.6 - 0.4 * t.growth + shell(t, 1.0), 24)),
        ("late_bill_days_12m", 0, |t, n| 6.0 * skewed(0.6 * t.leverage - 0.2 * t.quality + 0.7 * n.normal())),
        ("peak_share", 3, |t, n| (0.45 + 0.1 * (0.3 * t.quality + 0.95 * n.normal())).clamp(0.02, 0.98)),
    ],
};

/// A positive value around 1 that is moderately skewed.
fn skewed(x: f64) -> f64 {
    libm::exp(0.45 * x.clamp(-4.0, 4.0))
}

/// A count with the given logarithm of its mean.
fn counted(numbers: &mut Numbers, log_mean: f64, most: u32) -> f64 {
    f64::from(numbers.count(libm::exp(log_mean), most))
}

fn shell(traits: &Traits, effect: f64) -> f64 {
    if traits.is_shell { effect } else { 0.0 }
}

/// What is wrong with an enterprise's row.
enum Defect {
    None,
    BadCheck,
    FullWidth,
    LowerCase,
    Twice,
}

impl Defect {
    fn of(numbers: &mut Numbers) -> Defect {
        match (numbers.uniform() * 1000.0) as u32 {
            0..=1 => Defect::BadCheck,
            2..=5 => Defect::FullWidth,
            6..=8 => Defect::LowerCase,
            9..=11 => Defect::Twice,
            _ => Defect::None,
        }
    }
}

impl Table {
    pub(super) fn header(&self) -> String {
        let label = self.has_label.then_some(LABEL);
        let names = self.columns.iter().map(|c| c.0);
        let all: Vec<&str> = std::iter::once(KEY).chain(label).chain(names).collect();
        all.join(",") + "\n"
    }

    /// No row where the party does not know the enterprise, two where its row is planted twice.
    pub(super) fn write_rows(
        &self,
        text: &mut String,
        enterprise: u32,
        traits: &Traits,
        outcome: f64,
        numbers: &mut Numbers,
    ) {
        // Small firms are known less.
        let is_known = numbers.uniform() < self.coverage + 0.03 * traits.size.clamp(-2.0, 2.0);
        let defect = Defect::of(numbers);
        if !is_known {
            return;
        }
        let code = code(enterprise);
        let (key, copies) = match defect {
            Defect::None => (code, 1),
            Defect::BadCheck => (with_bad_check(&code), 1),
            Defect::FullWidth => (full_width(&code), 1),
            Defect::LowerCase => (format!(" {}", code.to_lowercase()), 1),
            Defect::Twice => (code, 2),
        };
        for _ in 0..copies {
            text.push_str(&key);
            if self.has_label {
                text.push_str(if outcome < traits.risk() { ",1" } else { ",0" });
            }
            for (_, decimals, view) in self.columns {
                // Writing to a string does not fail.
                let _ = write!(text, ",{:.decimals$}", view(traits, numbers) + 0.0);
            }
            text.push('\n');
        }
    }
}
