//! Tables with a common signal: the same enterprises seen by several parties.

/// A small generator of its own: the tables are the same on every machine.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(2).wrapping_add(0x9e37_79b9_7f4a_7c15))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// About normal: a sum of twelve.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// What three parties know of the same enterprises.
pub struct Tables {
    pub bank: String,
    pub tax: String,
    pub power: String,
}

/// `rows` enterprises; the bank knows three columns and the label `y`, the others three and four columns.
pub fn tables(rows: usize, seed: u64) -> Tables {
    let mut random = Random::new(seed);
    let mut bank = String::from("id,y,income,age,debt\n");
    let mut tax = String::from("id,revenue,paid,late\n");
    let mut power = String::from("id,used,peak,cut,days\n");
    for row in 0..rows {
        let x: Vec<f64> = (0..10).map(|_| random.normal()).collect();
        let s = 0.8 * x[0] - 0.5 * x[1] + 0.3 * x[2] + 0.9 * x[3] - 0.7 * x[4] + 0.4 * x[6] - 0.6 * x[7] - 1.0;
        let y = u8::from(random.uniform() < 1.0 / (1.0 + (-s).exp()));
        let id = format!("E{:07}", row * 7 + 13);
        bank += &format!("{id},{y},{:.4},{:.4},{:.4}\n", x[0], x[1], x[2]);
        tax += &format!("{id},{:.4},{:.4},{:.4}\n", x[3], x[4], x[5]);
        power += &format!("{id},{:.4},{:.4},{:.4},{:.4}\n", x[6], x[7], x[8], x[9]);
    }
    Tables { bank, tax, power }
}

/// A file's rows in another order, without the rows whose index `drop` names.
pub fn shuffled(csv: &str, seed: u64, drop: impl Fn(usize) -> bool) -> String {
    let mut lines = csv.lines();
    let header = lines.next().unwrap();
    let mut rows: Vec<&str> = lines.enumerate().filter(|(i, _)| !drop(*i)).map(|(_, row)| row).collect();
    let mut random = Random::new(seed);
    for i in (1..rows.len()).rev() {
        rows.swap(i, (random.uniform() * (i + 1) as f64) as usize);
    }
    format!("{header}\n{}\n", rows.join("\n"))
}
