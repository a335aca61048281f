//! What end-to-end tests stand on: small reproducible tables, the real command, real nodes.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub const HEFU: &str = env!("CARGO_BIN_EXE_hefu");
pub const BANK: &str = "uscc:91440300YY00001320";
pub const TAX: &str = "uscc:11440300YY00001403";
pub const POWER: &str = "uscc:11440300YY00001590";

/// Noise that is the same everywhere (splitmix64).
pub struct Noise(pub u64);

impl Noise {
    pub fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// A table that tests can spoil cell by cell.
#[derive(Clone)]
pub struct Csv {
    pub head: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Csv {
    pub fn text(&self) -> String {
        let mut out = self.head.join(",");
        out.push('\n');
        for row in &self.rows {
            writeln!(out, "{}", row.join(",")).unwrap();
        }
        out
    }

    pub fn column(&self, name: &str) -> usize {
        self.head.iter().position(|head| head == name).unwrap()
    }

    pub fn values(&self, name: &str) -> Vec<f64> {
        let column = self.column(name);
        self.rows.iter().map(|row| row[column].parse().unwrap()).collect()
    }

    pub fn write(&self, path: &Path) -> PathBuf {
        std::fs::write(path, self.text()).unwrap();
        path.to_owned()
    }
}

/// Columns of noise behind keys `E0000`, `E0001`, …
pub fn table(rows: usize, columns: usize, seed: u64) -> Csv {
    let mut noise = Noise(seed);
    let head = std::iter::once("id".to_owned()).chain((0..columns).map(|c| format!("x{c}"))).collect();
    let row = |i: usize, noise: &mut Noise| {
        let values = (0..columns).map(|_| format!("{:.5}", noise.normal()));
        std::iter::once(format!("E{i:04}")).chain(values.collect::<Vec<_>>()).collect()
    };
    Csv { head, rows: (0..rows).map(|i| row(i, &mut noise)).collect() }
}

/// A bank and agencies over the same enterprises: `y` depends on the first column of each.
pub fn bank_and(agencies: usize, rows: usize) -> (Csv, Vec<Csv>) {
    let mut bank = table(rows, 3, 1);
    let agencies: Vec<Csv> = (0..agencies).map(|a| table(rows, 3, 2 + a as u64)).collect();
    let mut noise = Noise(99);
    bank.head.insert(1, "y".to_owned());
    for i in 0..rows {
        let own: f64 = bank.rows[i][1].parse().unwrap();
        let others: f64 = agencies.iter().map(|a| a.rows[i][1].parse::<f64>().unwrap()).sum();
        let p = 1.0 / (1.0 + (1.0 - 0.7 * own - 0.8 * others).exp());
        bank.rows[i].insert(1, if noise.uniform() < p { "1" } else { "0" }.to_owned());
    }
    (bank, agencies)
}

/// How a command ended.
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// Standard output as the one JSON object that it must be.
    pub fn json(&self) -> Value {
        assert_eq!(
            self.stdout.trim_end().lines().count(),
            1,
            "one object is expected:\n{}\n{}",
            self.stdout,
            self.stderr
        );
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// The error object; its exit code and name are as expected.
    pub fn error(&self, code: i32, name: &str) -> Value {
        let error = self.json()["error"].clone();
        assert_eq!(
            (self.code, error["name"].as_str().unwrap_or("none")),
            (code, name),
            "{}\n{}",
            self.stdout,
            self.stderr
        );
        for member in ["cause", "next"] {
            assert!(!error[member].as_str().unwrap().is_empty(), "{member}");
            assert!(self.stderr.contains(error[member].as_str().unwrap()), "{member} on standard error");
        }
        error
    }
}

/// Runs the command in a folder; its temporary folders go to `TMP` there.
pub fn hefu<S: AsRef<std::ffi::OsStr>>(folder: &Path, args: &[S]) -> Ended {
    let temporary = folder.join("TMP");
    std::fs::create_dir_all(&temporary).unwrap();
    let output = Command::new(HEFU)
        .args(args)
        .current_dir(folder)
        .env("TMPDIR", &temporary)
        .env_remove("LC_ALL")
        .env_remove("LC_MESSAGES")
        .env("LANG", "C.UTF-8")
        .output()
        .unwrap();
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A running `hefu serve`, killed when dropped.
pub struct Serving {
    child: Child,
    pub told: Value,
}

impl Serving {
    pub fn start(config: &Path) -> Self {
        Self::try_start(config).unwrap_or_else(|told| panic!("{told}"))
    }

    pub fn try_start(config: &Path) -> Result<Self, Value> {
        let mut child = Command::new(HEFU)
            .args(["serve", "--json", "--config"])
            .arg(config)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap();
        if told.get("error").is_some() {
            let code = child.wait().unwrap().code();
            return Err(serde_json::json!({"exit": code, "error": told["error"]}));
        }
        Ok(Serving { child, told })
    }

    /// Ends the process at once, as a power cut would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.kill();
    }
}

/// One party's folder: configuration, keys.
pub struct Home {
    pub folder: PathBuf,
    pub config: PathBuf,
}

impl Home {
    /// Makes a party; `more` is added to its TOML.
    pub fn new(parent: &Path, id: &str, alias: &str, more: &str) -> Self {
        let folder = parent.join(alias);
        std::fs::create_dir_all(&folder).unwrap();
        let config = folder.join("node.toml");
        let listen = "[listen]\ninterconnect = \"127.0.0.1:0\"\ncontrol = \"127.0.0.1:0\"\n";
        let listen = if more.contains("[listen]") { "" } else { listen };
        let text = format!("[party]\nid = \"{id}\"\nalias = \"{alias}\"\nname = \"{alias}\"\n{listen}{more}");
        std::fs::write(&config, text).unwrap();
        let home = Home { folder, config };
        let made = home.hefu(&["init"]);
        assert_eq!(made.code, 0, "{}", made.stderr);
        home
    }

    pub fn descriptor(&self) -> PathBuf {
        self.folder.join("state/party.json")
    }

    /// Runs a command about this node, with `--json`.
    pub fn hefu(&self, args: &[&str]) -> Ended {
        let config = self.config.to_str().unwrap();
        hefu(&self.folder, &[args, &["--json", "--config", config]].concat())
    }

    /// The same, which must succeed.
    pub fn ok(&self, args: &[&str]) -> Value {
        let ended = self.hefu(args);
        assert_eq!(ended.code, 0, "{args:?}\n{}\n{}", ended.stdout, ended.stderr);
        ended.json()
    }

    pub fn trust(&self, other: &Home, alias: &str) -> Ended {
        self.hefu(&["party", "trust", other.descriptor().to_str().unwrap(), "--alias", alias])
    }
}

/// An `[[allow]]` entry for the bank.
pub fn allow(dataset: &str) -> String {
    format!(
        "[[allow]]\nparty = \"{BANK}\"\ndataset = \"{dataset}\"\n\
         purpose = \"origination\"\noutputs = [\"model\", \"score\"]\napproved = true\n"
    )
}

/// A bank that trusts a tax bureau and a power company, all running, all published.
pub struct Trio {
    pub bank: Home,
    pub tax: Home,
    pub power: Home,
    pub serving: Vec<Serving>,
}

impl Trio {
    pub fn start(parent: &Path, rows: usize) -> Self {
        let bank = Home::new(parent, BANK, "bank", "");
        let tax = Home::new(parent, TAX, "tax", &allow("tax"));
        let power = Home::new(parent, POWER, "power", &allow("power"));
        let serving = [&bank, &tax, &power].map(|home| Serving::start(&home.config)).into();
        for (truster, others) in [
            (&bank, [(&tax, "tax"), (&power, "power")]),
            (&tax, [(&bank, "bank"), (&power, "power")]),
            (&power, [(&bank, "bank"), (&tax, "tax")]),
        ] {
            for (other, alias) in others {
                assert_eq!(truster.trust(other, alias).code, 0);
            }
        }
        let (loans, agencies) = bank_and(2, rows);
        loans.write(&bank.folder.join("loans.csv"));
        bank.ok(&["dataset", "publish", "loans.csv", "--name", "loans", "--key", "id", "--label", "y"]);
        for (home, csv, name) in [(&tax, &agencies[0], "tax"), (&power, &agencies[1], "power")] {
            csv.write(&home.folder.join("rows.csv"));
            home.ok(&["dataset", "publish", "rows.csv", "--name", name, "--key", "id"]);
        }
        Trio { bank, tax, power, serving }
    }

    /// Writes a job file at the bank.
    pub fn job_file(&self, text: &str) {
        std::fs::write(self.bank.folder.join("job.toml"), text).unwrap();
    }
}

/// A training job with both agencies.
pub const TRAIN: &str = "kind = \"train\"\ndataset = \"loans\"\npurpose = \"origination\"\n\
    [[collaborator]]\nparty = \"tax\"\ndataset = \"tax\"\n[[collaborator]]\nparty = \"power\"\ndataset = \"power\"\n";
