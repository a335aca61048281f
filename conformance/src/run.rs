//! A run: controls first, every case driven once, judged, and the target checked to be alive after a negative one.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::case::pool::Pool;
use crate::case::{Case, Corpus, Kind, Operator, Profile, Role, Scenario, Setting};
use crate::control::{Control, Request};
use crate::driver::{self, drive};
use crate::error::{Error, Result};
use crate::judge::{Finding, Verdict, judge};
use crate::target::TargetFile;
use crate::transcript::{self, SCHEMA, Target, Transcript};
use crate::wire::h;
use crate::world::{Adapter, World, greet};

/// The case whose dialogue shows that a target of a role is alive.
pub const fn liveness(role: Role) -> &'static str {
    match role {
        Role::Collaborator => "ALIGN-P-001",
        Role::Initiator => "ALIGN-P-101",
    }
}

/// The suite's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What to run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Only this profile.
    pub profile: Option<Profile>,
    /// Only this role of the target.
    pub role: Option<Role>,
    /// Only the handful of cases that say in a few seconds whether more is worth while.
    pub smoke: bool,
    /// Only these cases (and what they need).
    pub cases: Vec<String>,
    /// Leave out cases that are slow by nature.
    pub quick: bool,
    /// Seed of everything random.
    pub seed: String,
    /// Folder for the evidence; none: nothing is kept.
    pub evidence: Option<PathBuf>,
}

/// The result of one case.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CaseResult {
    /// Id.
    pub id: String,
    /// Requirement.
    pub clause: String,
    /// Profile.
    pub profile: Profile,
    /// Role of the target.
    pub role: Role,
    /// Positive or negative.
    pub kind: Kind,
    /// Title.
    pub title: String,
    /// The verdict and its grounds.
    #[serde(flatten)]
    pub finding: Finding,
    /// Seconds, liveness probe included.
    pub seconds: f64,
    /// File of the transcript, relative to the results, and its SHA-256 in hex.
    pub transcript: Option<(String, String)>,
}

impl CaseResult {
    /// What a statement says of a case: its verdict alone.
    pub fn stated(case: &Case, verdict: Verdict) -> CaseResult {
        CaseResult {
            id: case.id.clone(),
            clause: case.clause.clone(),
            profile: case.profile,
            role: case.role,
            kind: case.kind,
            title: case.title.clone(),
            finding: Finding::undriven(verdict, ""),
            seconds: 0.0,
            transcript: None,
        }
    }
}

/// Everything that a run came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Results {
    /// `hefu-conformance/results/1`.
    pub schema: String,
    /// Version of the suite.
    pub suite: String,
    /// SHA-256 of this binary, hex; empty if it could not be read.
    pub suite_sha256: String,
    /// SHA-256 of the corpus, hex.
    pub corpus: String,
    /// Name and version of the target, from its target file.
    pub target: String,
    /// The adapter's name and version.
    pub adapter: String,
    /// How the target was set up: `stdio`, or `manual` by a person.
    pub control: String,
    /// SHA-256 of the program under test, hex, where the adapter names it.
    pub artefact_sha256: Option<String>,
    /// Seed.
    pub seed: String,
    /// Start, in seconds since 1970.
    pub started: u64,
    /// Duration in seconds.
    pub seconds: f64,
    /// Median round trip in microseconds.
    pub round_trip_us: u64,
    /// Whether every case that was run conforms, and at least one was.
    pub conformant: bool,
    /// One a profile and role.
    pub cells: Vec<Cell>,
    /// All cases that were selected.
    pub cases: Vec<CaseResult>,
}

/// A profile in a role.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cell {
    /// Profile.
    pub profile: Profile,
    /// Role of the target.
    pub role: Role,
    /// PASS only if every case passed, with at least one positive and one negative among them.
    pub verdict: Verdict,
    /// Number of cases by verdict.
    pub counts: std::collections::BTreeMap<String, usize>,
}

/// What a run tells while it goes on.
pub enum Progress<'a> {
    /// The target is set up.
    Ready(&'a World),
    /// A case is done.
    Case {
        /// Its result.
        result: &'a CaseResult,
        /// Cases done.
        done: usize,
        /// Cases in all.
        total: usize,
        /// Time that the others will take, if they are like these.
        left: Duration,
    },
}

/// The cases of a selection, with the controls that they need, controls first.
///
/// # Errors
/// `Configuration` where a case id is unknown.
pub fn select<'a>(corpus: &'a Corpus, options: &Options) -> Result<Vec<&'a Case>> {
    for id in &options.cases {
        corpus.case(id).ok_or_else(|| Error::Configuration(format!("no case {id}; see `hefu-conformance list`")))?;
    }
    let wanted = |case: &Case| {
        options.profile.is_none_or(|profile| case.profile == profile)
            && options.role.is_none_or(|role| case.role == role)
            && (options.cases.is_empty() || options.cases.iter().any(|id| id.eq_ignore_ascii_case(&case.id)))
            && !(options.quick && case.slow)
            && (!options.smoke || case.smoke)
    };
    let chosen: Vec<&Case> = corpus.cases.iter().filter(|case| wanted(case)).collect();
    let alive = |case: &Case| case.id == liveness(case.role);
    let negative = |role: Role| chosen.iter().any(|case| case.kind == Kind::Negative && case.role == role);
    let needed = |case: &Case| {
        chosen.iter().any(|c| c.id == case.id || c.control.as_deref() == Some(&case.id))
            || (alive(case) && negative(case.role))
    };
    let of = |kind: Kind| corpus.cases.iter().filter(move |case| case.kind == kind && needed(case));
    Ok(of(Kind::Positive).chain(of(Kind::Negative)).collect())
}

/// Runs a selection against a target.
///
/// # Errors
/// Where the target cannot be set up or reached; what it does afterwards is a finding, not an error.
pub async fn run<C: Control>(
    control: &mut C,
    target: &TargetFile,
    options: &Options,
    tell: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Results> {
    let begin = Instant::now();
    let started = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let corpus = Corpus::embedded()?;
    let cases = select(&corpus, options)?;
    let adapter = greet(control, &options.seed).await?;
    let world = World::prepare(control, &options.seed, target).await?;
    tell(Progress::Ready(&world));
    let round_trip_us = world.round_trip.as_micros() as u64;
    let mut session =
        Session { control, target, options, corpus: &corpus, world, lag: Lag::start(), done: HashMap::new() };
    let mut results = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        let result = session.case(case).await?;
        let spent = begin.elapsed();
        let left = spent.mul_f64((cases.len() - index - 1) as f64 / (index + 1) as f64);
        tell(Progress::Case { result: &result, done: index + 1, total: cases.len(), left });
        results.push(result);
    }
    // The target is left as it was found: stopped.
    let _ = session.control.call(Request::Stop).await;
    Ok(summary(target, &corpus, adapter, options, results, (started, begin.elapsed().as_secs_f64(), round_trip_us)))
}

/// A run in progress.
struct Session<'a, C> {
    control: &'a mut C,
    target: &'a TargetFile,
    options: &'a Options,
    corpus: &'a Corpus,
    world: World,
    lag: Lag,
    /// Verdict and transcript digest of what is done.
    done: HashMap<String, (Verdict, String)>,
}

impl<C: Control> Session<'_, C> {
    async fn case(&mut self, case: &Case) -> Result<CaseResult> {
        let begin = Instant::now();
        let (finding, transcript) = match self.obstacle(case) {
            Some(finding) => (finding, None),
            None => self.driven(case).await?,
        };
        let digest = transcript.as_ref().map(|(_, digest)| digest.clone()).unwrap_or_default();
        self.done.insert(case.id.clone(), (finding.verdict, digest));
        Ok(CaseResult {
            id: case.id.clone(),
            clause: case.clause.clone(),
            profile: case.profile,
            role: case.role,
            kind: case.kind,
            title: case.title.clone(),
            finding,
            seconds: (begin.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
            transcript,
        })
    }

    /// Why a case cannot be driven.
    fn obstacle(&self, case: &Case) -> Option<Finding> {
        // A control of an unclaimed profile runs where a claimed case rests on it.
        let rests = |c: &Case| c.control.as_ref() == Some(&case.id) && self.target.claims(c.profile, c.role);
        let needed_by_others = case.id == liveness(case.role) || self.corpus.cases.iter().any(rests);
        let claimed = self.target.claims(case.profile, case.role);
        if !self.target.plays(case.role) || (!claimed && !needed_by_others) {
            let text = format!("the target does not claim {} as {}", case.profile.name(), case.role.name());
            return Some(Finding::undriven(Verdict::NotApplicable, text));
        }
        if case.kind == Kind::Positive {
            return None;
        }
        for id in case.control.iter().map(String::as_str).chain([liveness(case.role)]) {
            let verdict = self.done.get(id).map_or(Verdict::NotRun, |(verdict, _)| *verdict);
            if !verdict.conforms() {
                let text = format!("control {id} is {}", verdict.name());
                return Some(Finding::undriven(Verdict::Inconclusive, text));
            }
        }
        None
    }

    async fn driven(&mut self, case: &Case) -> Result<(Finding, Option<(String, String)>)> {
        self.lag.reset();
        let mut runs = Vec::new();
        if case.scenario == Scenario::Score {
            runs.push(self.drive(case, "train", None).await);
        }
        if let Some(Operator::Pool { fault }) = case.operator
            && fault.rests_on_a_round()
        {
            let pool = Pool { lost: false, ..case.setting.pool.clone() };
            let setting = Setting { pool, ..case.setting.clone() };
            let plain = Case { operator: None, setting, ..case.clone() };
            runs.push(self.drive(&plain, "before", None).await);
        }
        if let Some(Operator::OfferAfterRestart) = case.operator {
            let plain = Case { operator: None, ..case.clone() };
            runs.push(self.drive(&plain, "before", None).await);
            let restarted = self.control.demand(Request::Restart).await?.address.unwrap_or_default();
            let unusable = |_| Error::Control(format!("restart: `{restarted}` is no ip:port"));
            self.world.address = restarted.parse().map_err(unusable)?;
        }
        let main = self.drive(case, "main", runs.first()).await;
        runs.insert(0, main);
        if case.setting.probe {
            let again = self.drive(case, "again", runs.first()).await;
            runs.push(again);
        }
        let mut alive = true;
        if case.kind == Kind::Negative
            && let Some(liveness) = self.corpus.case(liveness(case.role))
        {
            let setting = Setting { dataset: "live".into(), common: 20, own: 10, ..Setting::default() };
            let probe = Case { id: case.id.clone(), setting, ..liveness.clone() };
            let run = self.drive(&probe, "liveness", None).await;
            alive = run.completed();
            runs.push(run);
        }
        let transcript = self.transcript(case, runs);
        let control = case.control.as_ref().and_then(|id| self.done.get(id)).map(|(verdict, _)| *verdict);
        let finding = judge(case, control, &transcript);
        let kept = self.keep(&transcript)?;
        if !alive {
            // What follows is not to suffer from what this case did.
            self.world = World::prepare(self.control, &self.options.seed, self.target).await?;
        }
        Ok((finding, kept))
    }

    async fn drive(&mut self, case: &Case, label: &str, earlier: Option<&transcript::Run>) -> transcript::Run {
        match case.role {
            Role::Collaborator => drive(&self.world, case, label, earlier).await,
            Role::Initiator => driver::host::drive(self.control, &self.world, case, label, earlier).await,
        }
    }

    fn transcript(&self, case: &Case, runs: Vec<transcript::Run>) -> Transcript {
        let mut canaries = self.world.canaries(&case.dataset());
        if case.kind == Kind::Negative {
            canaries.extend(self.world.canaries(if case.role == Role::Initiator { "loans-live" } else { "live" }));
        }
        let control = case.control.as_ref().map(|id| transcript::Control {
            case: id.clone(),
            sha256: self.done.get(id).map(|(_, digest)| digest.clone()).unwrap_or_default(),
        });
        Transcript {
            schema: SCHEMA.into(),
            case: case.id.clone(),
            suite: VERSION.into(),
            corpus: self.corpus.digest.clone(),
            seed: self.world.seed.clone(),
            target: Target { party: self.world.target.party.clone(), signing_key: hex::encode(self.world.target_key) },
            deadline_ms: self.world.deadline.as_millis() as u64,
            idle_ms: self.world.limits.idle_timeout_ms,
            lag_ms: self.lag.worst_ms(),
            control,
            canaries,
            runs,
        }
    }

    fn keep(&self, transcript: &Transcript) -> Result<Option<(String, String)>> {
        let Some(folder) = &self.options.evidence else { return Ok(None) };
        let bytes = serde_json::to_vec(transcript)?;
        let name = format!("{}.json", transcript.case);
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join(&name), &bytes)?;
        Ok(Some((format!("evidence/{name}"), hex::encode(h(&[&bytes])))))
    }
}

/// How late this machine's timers are: a late suite must not blame the target.
struct Lag {
    worst: Arc<AtomicU64>,
    ticker: tokio::task::JoinHandle<()>,
}

impl Lag {
    fn start() -> Lag {
        let worst = Arc::new(AtomicU64::new(0));
        let seen = worst.clone();
        let tick = Duration::from_millis(20);
        let ticker = tokio::spawn(async move {
            loop {
                let begin = Instant::now();
                tokio::time::sleep(tick).await;
                seen.fetch_max(begin.elapsed().saturating_sub(tick).as_millis() as u64, Ordering::Relaxed);
            }
        });
        Lag { worst, ticker }
    }

    fn reset(&self) {
        self.worst.store(0, Ordering::Relaxed);
    }

    fn worst_ms(&self) -> u64 {
        self.worst.load(Ordering::Relaxed)
    }
}

impl Drop for Lag {
    fn drop(&mut self) {
        self.ticker.abort();
    }
}

fn summary(
    target: &TargetFile,
    corpus: &Corpus,
    adapter: Adapter,
    options: &Options,
    cases: Vec<CaseResult>,
    (started, seconds, round_trip_us): (u64, f64, u64),
) -> Results {
    let sha256 = |path: &std::path::Path| std::fs::read(path).ok().map(|bytes| hex::encode(h(&[&bytes])));
    let cells = cells(&cases);
    Results {
        schema: "hefu-conformance/results/1".into(),
        suite: VERSION.into(),
        suite_sha256: std::env::current_exe().ok().and_then(|exe| sha256(&exe)).unwrap_or_default(),
        corpus: corpus.digest.clone(),
        target: format!("{} {}", target.target.name, target.target.version),
        adapter: adapter.name,
        control: if target.control.kind == "manual" { "manual".into() } else { "stdio".into() },
        artefact_sha256: adapter
            .artefact
            .and_then(|path| sha256(path.as_ref()))
            .or_else(|| target.target.artefact_sha256.clone()),
        seed: options.seed.clone(),
        started,
        seconds: (seconds * 1000.0).round() / 1000.0,
        round_trip_us,
        conformant: !cases.is_empty() && cases.iter().all(|case| case.finding.verdict.conforms()),
        cells,
        cases,
    }
}

/// The cells of a list of results.
pub fn cells(cases: &[CaseResult]) -> Vec<Cell> {
    let mut out = Vec::new();
    let roles = [Role::Collaborator, Role::Initiator];
    for (role, profile) in roles.into_iter().flat_map(|role| Profile::ALL.map(|profile| (role, profile))) {
        let own: Vec<&CaseResult> = cases.iter().filter(|case| (case.profile, case.role) == (profile, role)).collect();
        if own.is_empty() {
            continue;
        }
        let mut counts = std::collections::BTreeMap::new();
        for case in &own {
            *counts.entry(case.finding.verdict.name().to_owned()).or_insert(0) += 1;
        }
        let passed = |kind| own.iter().any(|c| c.kind == kind && c.finding.verdict == Verdict::Pass);
        let verdict = if own.iter().all(|c| c.finding.verdict == Verdict::NotApplicable) {
            Verdict::NotApplicable
        } else if own.iter().any(|c| c.finding.verdict == Verdict::Fail) {
            Verdict::Fail
        } else if own.iter().all(|c| c.finding.verdict.conforms()) && passed(Kind::Positive) && passed(Kind::Negative) {
            Verdict::Pass
        } else {
            Verdict::Inconclusive
        };
        out.push(Cell { profile, role, verdict, counts });
    }
    out
}
