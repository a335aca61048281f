//! The synthetic world of enterprises, for a demonstration without files.
//!
//! Every enterprise has hidden traits: size, quality, leverage, growth, concentration, age, whether it is a shell.
//! They decide whether its loan goes bad, and each party sees some of them through noise: the bank leverage and
//! quality, the tax bureau sales and growth, the power company activity and arrears. So a joint model is better than
//! the bank's own, as it would be for real ones. Nothing here describes a real firm: every code has a body that
//! begins with `YY`, which is not allocated.
//!
//! The same seed gives the same bytes on every machine, and the files of a small world are the beginning of those
//! of a larger one: every value depends on seed, enterprise and stream alone, and mathematics is the software
//! library's.
mod code;
mod numbers;
mod tables;
#[cfg(test)]
mod tests;

use numbers::Numbers;

/// The key's column in every file.
pub const KEY: &str = "uscc";
/// The bank's label: 1 where the loan went bad within twelve months.
pub const LABEL: &str = "default_12m";
/// JSON Schema of the bank's file: one row an enterprise, units and sensitivity of every column.
pub const BANK_SCHEMA: &str = include_str!("synth/bank.schema.json");
/// JSON Schema of the tax bureau's file.
pub const TAX_SCHEMA: &str = include_str!("synth/tax.schema.json");
/// JSON Schema of the power company's file.
pub const POWER_SCHEMA: &str = include_str!("synth/power.schema.json");
/// The months that the files' figures are said to cover.
pub const PERIOD: &str = "202401-202512";
/// Enterprises of a world at most: the codes' numbers have six digits.
pub const MOST: u32 = 1_000_000;

/// A world of enterprises with a bank, a tax bureau and a power company.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct World {
    seed: u64,
    enterprises: u32,
}

/// What nobody sees of an enterprise. All but the last two have mean 0 and variance 1.
struct Traits {
    size: f64,
    quality: f64,
    leverage: f64,
    growth: f64,
    concentration: f64,
    /// Age in months.
    months: f64,
    /// No business of its own.
    is_shell: bool,
}

/// The streams of random numbers of one enterprise.
#[derive(Clone, Copy)]
enum Stream {
    Traits = 1,
    Outcome = 2,
    Bank = 3,
    Tax = 4,
    Power = 5,
}

impl World {
    /// A world of `enterprises` enterprises, at most [`MOST`].
    pub fn new(seed: u64, enterprises: u32) -> World {
        World { seed, enterprises: enterprises.min(MOST) }
    }

    /// Enterprises.
    pub fn enterprises(&self) -> u32 {
        self.enterprises
    }

    /// The bank's file: borrowers with the label and six figures.
    pub fn bank(&self) -> String {
        self.file(&tables::BANK)
    }

    /// The tax bureau's file: seven figures of about 92 % of the enterprises.
    pub fn tax(&self) -> String {
        self.file(&tables::TAX)
    }

    /// The power company's file: five figures of about 85 % of the enterprises.
    pub fn power(&self) -> String {
        self.file(&tables::POWER)
    }

    fn file(&self, table: &tables::Table) -> String {
        let mut text = table.header();
        for enterprise in 0..self.enterprises {
            let traits = Traits::of(&mut self.numbers(enterprise, Stream::Traits));
            let outcome = self.numbers(enterprise, Stream::Outcome).uniform();
            let mut numbers = self.numbers(enterprise, table.stream);
            table.write_rows(&mut text, enterprise, &traits, outcome, &mut numbers);
        }
        text
    }

    fn numbers(&self, enterprise: u32, stream: Stream) -> Numbers {
        Numbers::new(self.seed, enterprise, stream as u64)
    }
}

impl Traits {
    fn of(numbers: &mut Numbers) -> Traits {
        let size = numbers.normal();
        let quality = numbers.normal();
        // Good firms grow and borrow less; large ones are older.
        let leverage = -0.3 * quality + 0.954 * numbers.normal();
        let growth = 0.35 * quality + 0.937 * numbers.normal();
        let concentration = numbers.normal();
        let months = libm::exp(4.3 + 0.15 * size + 0.65 * numbers.normal()).clamp(12.0, 480.0);
        Traits { size, quality, leverage, growth, concentration, months, is_shell: numbers.uniform() < 0.02 }
    }

    /// The probability that the loan goes bad.
    fn risk(&self) -> f64 {
        let squeeze = self.leverage.max(0.0) * (-self.growth).max(0.0);
        let shell = if self.is_shell { 1.8 } else { 0.0 };
        let score = -0.85 * self.quality + 0.8 * self.leverage - 0.55 * self.growth + 0.35 * self.concentration
            - 0.15 * self.size
            - 0.2 * libm::log(self.months / 74.0)
            + shell
            + 0.35 * squeeze;
        1.0 / (1.0 + libm::exp(3.6 - 0.8 * score))
    }
}
