//! The report's pictures of what each party gave and spent.
use super::plot::{Anchor, Margin, Plot, round_ticks};
use super::words::{bytes, percent, seconds, whole};
use crate::demo::outcome::{Outcome, PartyOutcome};
use hefu::result::{Rows, StageCost};

const ROW: f64 = 21.0;
/// Columns of a party that are drawn; the table below lists all.
const DRAWN: usize = 15;

/// The coefficients of one party, largest first, on a scale common to all parties.
pub fn coefficients(party: &PartyOutcome, rank: usize, outcome: &Outcome) -> String {
    let largest = outcome.parties.iter().flat_map(|p| &p.columns).map(|(_, v)| v.abs()).fold(0.1, f64::max) * 1.05;
    let mut columns: Vec<&(String, f64)> = party.columns.iter().collect();
    columns.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    columns.truncate(DRAWN);
    let height = 30.0 + ROW * columns.len() as f64;
    let margin = Margin { left: 196.0, right: 62.0, top: 4.0, bottom: 24.0 };
    let mut plot = Plot::new(480.0, height, margin, (-largest, largest), (0.0, 1.0));
    plot.ticks_x(
        [-largest, 0.0, largest]
            .map(|t| (t, if t == 0.0 { "0".to_owned() } else { format!("{t:+.2}").replace('-', "−") })),
    );
    let zero = plot.at_x(0.0);
    for (index, (name, value)) in columns.into_iter().enumerate() {
        let y = 6.0 + ROW * index as f64;
        let end = plot.at_x(*value);
        let title = format!("{name}: {value:+.6}");
        plot.bar(&format!("party-{}", rank % 6), (zero.min(end), y), ((end - zero).abs(), ROW - 7.0), &title);
        plot.word("label", (zero.min(plot.at_x(-largest)) - 8.0, y + 11.5), Anchor::End, &shorten(name, 25));
        plot.word("figure", (474.0, y + 11.5), Anchor::End, &signed(*value));
    }
    plot.finish(&format!("Coefficients of {}", party.alias))
}

fn signed(value: f64) -> String {
    format!("{value:+.3}").replace('-', "−")
}

fn shorten(name: &str, most: usize) -> String {
    if name.chars().count() <= most { name.to_owned() } else { name.chars().take(most - 1).chain(['…']).collect() }
}

const STAGES: [(&str, &str, &str); 4] = [
    ("align", "matching", "匹配"),
    ("train", "training", "训练"),
    ("evaluate", "test scores", "测试评分"),
    ("score", "scores", "评分"),
];

/// The stage's name for people.
pub fn stage_words(stage: &str) -> (&str, &str) {
    STAGES.iter().find(|s| s.0 == stage).map_or((stage, stage), |s| (s.1, s.2))
}

/// One stacked bar a party: `figure` of each stage; the party's whole is written behind the bar.
pub fn costs(
    outcome: &Outcome,
    name: &str,
    figure: impl Fn(&StageCost) -> f64,
    whole_of: impl Fn(&PartyOutcome) -> f64,
    print: impl Fn(f64) -> String,
) -> String {
    let staged = |p: &PartyOutcome| p.stages.iter().map(&figure).sum::<f64>();
    let most = outcome.parties.iter().map(|p| staged(p).max(whole_of(p))).fold(f64::MIN_POSITIVE, f64::max);
    let height = 24.0 + 30.0 * outcome.parties.len() as f64;
    let margin = Margin { left: 96.0, right: 74.0, top: 2.0, bottom: 22.0 };
    let mut plot = Plot::new(480.0, height, margin, (0.0, most), (0.0, 1.0));
    plot.ticks_x(round_ticks(0.0, most).into_iter().step_by(2).map(|t| (t, print(t))));
    for (index, party) in outcome.parties.iter().enumerate() {
        let y = 6.0 + 30.0 * index as f64;
        plot.word("label", (88.0, y + 13.0), Anchor::End, &shorten(&party.alias, 12));
        let mut from = 0.0;
        for stage in &party.stages {
            let value = figure(stage);
            let (left, right) = (plot.at_x(from), plot.at_x(from + value));
            let title = format!("{} {}: {}", party.alias, stage.stage, print(value));
            plot.bar(&format!("stage-{}", stage.stage), (left, y), (right - left, 18.0), &title);
            from += value;
        }
        let total = whole_of(party);
        if total > from {
            let (left, right) = (plot.at_x(from), plot.at_x(total));
            plot.bar("stage-other", (left, y), (right - left, 18.0), &format!("{} between stages", party.alias));
        }
        plot.word("figure", (474.0, y + 13.0), Anchor::End, &print(total));
    }
    plot.finish(name)
}

/// CPU time of each party by stage.
pub fn cpu(outcome: &Outcome) -> String {
    costs(outcome, "CPU seconds of each party by stage", |s| s.cpu_seconds, |p| p.cpu_seconds, seconds)
}

/// Bytes that each party sent by stage.
pub fn sent(outcome: &Outcome) -> String {
    let print = |v: f64| bytes(v.max(0.0).round() as u64);
    costs(outcome, "Bytes sent by each party by stage", |s| s.bytes_sent as f64, |p| p.bytes as f64, print)
}

/// How the bank's rows meet those of each agency.
pub fn matching(outcome: &Outcome) -> String {
    let agencies: Vec<_> = outcome.agencies().collect();
    let most = outcome.result.rows.bank.max(1) as f64;
    let height = 24.0 + 30.0 * (agencies.len() + 1) as f64;
    let margin = Margin { left: 120.0, right: 70.0, top: 2.0, bottom: 22.0 };
    let mut plot = Plot::new(480.0, height, margin, (0.0, most), (0.0, 1.0));
    plot.ticks_x(round_ticks(0.0, most).into_iter().step_by(2).map(|t| (t, whole(t.round() as u64))));
    let mut row = |index: usize, words: (&str, &str), rows: &Rows| {
        let y = 6.0 + 30.0 * index as f64;
        plot.words("label", (112.0, y + 13.0), Anchor::End, words);
        let mut from = 0.0;
        for (class, count, what) in [
            ("matched", rows.matched, "matched"),
            ("unmatched", rows.unmatched, "unmatched"),
            ("dropped", rows.duplicate + rows.invalid, "duplicate or invalid key"),
        ] {
            let (left, right) = (plot.at_x(from), plot.at_x(from + count as f64));
            plot.bar(class, (left, y), (right - left, 18.0), &format!("{what}: {}", whole(count)));
            from += count as f64;
        }
        plot.word("figure", (474.0, y + 13.0), Anchor::End, &percent(rows.matched, rows.bank));
    };
    let all = agencies.len();
    for (index, (agency, rows)) in agencies.into_iter().enumerate() {
        let name = shorten(agency, 14);
        row(index, (&name, &name), rows);
    }
    row(all, ("all agencies", "全部机构"), &outcome.result.rows);
    plot.finish("The bank's rows that each agency knows")
}
