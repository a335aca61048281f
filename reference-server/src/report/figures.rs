//! The report's pictures of how good a model is.
use super::plot::{Anchor, Margin, Plot, round_ticks};
use super::words::whole;
use hefu::result::{Histogram, Report, TracePoint};

const SQUARE: Margin = Margin { left: 46.0, right: 14.0, top: 26.0, bottom: 44.0 };

/// A value with its interval, drawn above another on one scale: alone (hollow) and joint (solid).
pub fn interval(name: &str, alone: (f64, [f64; 2]), joint: (f64, [f64; 2])) -> String {
    let low = alone.1[0].min(joint.1[0]);
    let high = alone.1[1].max(joint.1[1]);
    let room = ((high - low) * 0.12).max(0.005);
    let margin = Margin { left: 96.0, right: 18.0, top: 10.0, bottom: 26.0 };
    let mut plot = Plot::new(480.0, 112.0, margin, (low - room, high + room), (0.0, 2.0));
    plot.ticks_x(round_ticks(low - room, high + room).into_iter().map(|t| (t, format!("{t:.2}"))));
    let mut row = |class: &str, y: f64, (value, [from, to]): (f64, [f64; 2]), words: (&str, &str)| {
        let at = plot.at_y(y) + 4.0;
        plot.words("label", (8.0, at), Anchor::Start, words);
        plot.segment(&format!("whisker {class}"), (from, y), (to, y));
        for end in [from, to] {
            plot.segment(&format!("whisker {class}"), (end, y - 0.14), (end, y + 0.14));
        }
        plot.dot(&format!("dot {class}"), (value, y), 6.5, &format!("{name} {value:.4} [{from:.4}, {to:.4}]"));
    };
    row("alone", 1.5, alone, ("bank alone", "银行单独"));
    row("joint", 0.5, joint, ("joint", "联合"));
    plot.finish(&format!("{name}: bank alone {:.3}, joint {:.3}, with 95 % intervals", alone.0, joint.0))
}

/// Receiver operating characteristic, both models.
pub fn roc(report: &Report) -> String {
    let mut plot = Plot::new(480.0, 400.0, SQUARE, (0.0, 1.0), (0.0, 1.0));
    fifths(&mut plot);
    plot.name_x(("good enterprises called bad", "好客户被误判的比例"));
    plot.name_y(("bad enterprises found", "坏客户被识别的比例"));
    plot.segment("chance", (0.0, 0.0), (1.0, 1.0));
    let joint = &report.curves.roc_joint;
    plot.shape("under joint-fill", joint.iter().map(|p| (p[0], p[1])).chain([(1.0, 0.0), (0.0, 0.0)]));
    plot.line("curve alone", report.curves.roc_alone.iter().map(|p| (p[0], p[1])));
    plot.line("curve joint", joint.iter().map(|p| (p[0], p[1])));
    let right = plot.at_x(0.97);
    let (first, second) = (plot.at_y(0.14), plot.at_y(0.06));
    plot.words(
        "legend joint-ink",
        (right, first),
        Anchor::End,
        (&format!("joint {:.3}", report.auc), &format!("联合 {:.3}", report.auc)),
    );
    plot.words(
        "legend alone-ink",
        (right, second),
        Anchor::End,
        (&format!("bank alone {:.3}", report.auc_alone), &format!("银行单独 {:.3}", report.auc_alone)),
    );
    plot.finish("ROC curves of the joint model and of the bank's model alone")
}

fn fifths(plot: &mut Plot) {
    let ticks = || (0..=5u8).map(|i| (f64::from(i) / 5.0, format!("{:.1}", f64::from(i) / 5.0)));
    plot.ticks_x(ticks());
    plot.ticks_y(ticks());
}

/// Kolmogorov–Smirnov: cumulative shares of bad and good enterprises by joint score, and the widest gap of both models.
pub fn ks(report: &Report) -> String {
    let mut plot = Plot::new(480.0, 400.0, SQUARE, (0.0, 1.0), (0.0, 1.0));
    fifths(&mut plot);
    plot.name_x(("share of enterprises, riskiest first", "企业占比（按风险从高到低）"));
    plot.name_y(("cumulative share", "累计占比"));
    let (joint, alone) = (riskiest_first(&report.curves.ks_joint), riskiest_first(&report.curves.ks_alone));
    plot.line("curve thin alone", alone.iter().map(|p| (p[0], p[1])));
    plot.line("curve thin alone", alone.iter().map(|p| (p[0], p[2])));
    plot.line("curve bad", joint.iter().map(|p| (p[0], p[1])));
    plot.line("curve good", joint.iter().map(|p| (p[0], p[2])));
    let widest = joint.iter().max_by(|a, b| (a[1] - a[2]).abs().total_cmp(&(b[1] - b[2]).abs()));
    if let Some(&[x, bad, good]) = widest {
        plot.segment("gap", (x, bad), (x, good));
        let at = (plot.at_x(x) + 8.0, plot.at_y((bad + good) / 2.0) + 4.0);
        plot.word("legend joint-ink", at, Anchor::Start, &format!("KS {:.3}", report.ks));
    }
    let (right, top) = (plot.at_x(0.97), plot.at_y(0.22));
    for (index, (class, words)) in [
        ("bad-ink", ("bad, joint score", "坏客户（联合评分）")),
        ("good-ink", ("good, joint score", "好客户（联合评分）")),
        ("alone-ink", ("bank alone", "银行单独")),
    ]
    .into_iter()
    .enumerate()
    {
        plot.words(&format!("legend {class}"), (right, top + 19.0 * index as f64), Anchor::End, words);
    }
    plot.finish("Cumulative shares of good and bad enterprises by joint score")
}

/// The points `[share, bad, good]` with the riskiest enterprises first, whichever way they came.
fn riskiest_first(points: &[[f64; 3]]) -> Vec<[f64; 3]> {
    let falls = points.first().is_some_and(|p| p[1] > 0.5);
    let turned = points.iter().rev().map(|[x, bad, good]| [1.0 - x, *bad, *good]);
    if falls { turned.collect() } else { points.to_vec() }
}

/// Where good and bad enterprises stand by joint probability; each outcome as shares of its own rows.
pub fn distribution(histogram: &Histogram) -> String {
    let total = |counts: &[u64]| counts.iter().sum::<u64>().max(1) as f64;
    let (goods, bads) = (total(&histogram.good), total(&histogram.bad));
    let shares = histogram.good.iter().map(|c| *c as f64 / goods).chain(histogram.bad.iter().map(|c| *c as f64 / bads));
    let top = shares.fold(0.05, f64::max) * 1.08;
    let (low, high) = visible(histogram);
    let mut plot = Plot::new(480.0, 300.0, SQUARE, (low, high), (0.0, top));
    plot.ticks_x(round_ticks(low, high).into_iter().map(|t| (t, format!("{t:.2}"))));
    plot.ticks_y(round_ticks(0.0, top).into_iter().map(|t| (t, format!("{:.0} %", 100.0 * t))));
    plot.name_x(("joint probability of default", "联合模型违约概率"));
    plot.name_y(("share of the outcome's rows", "占该类样本的比例"));
    for (edges, (good, bad)) in histogram.edges.windows(2).zip(histogram.good.iter().zip(&histogram.bad)) {
        let (&[from, to], good_share, bad_share) = (edges, *good as f64 / goods, *bad as f64 / bads) else { continue };
        if to <= low || from >= high {
            continue;
        }
        let (x, half) = (plot.at_x(from) + 1.0, (plot.at_x(to) - plot.at_x(from) - 2.0) / 2.0);
        let floor = plot.at_y(0.0);
        for (class, at, share, count) in [("good-fill", x, good_share, good), ("bad-fill", x + half, bad_share, bad)] {
            let y = plot.at_y(share);
            plot.bar(class, (at, y), (half, floor - y), &format!("{from:.2}–{to:.2}: {}", whole(*count)));
        }
    }
    let right = plot.at_x(high) - 6.0;
    plot.words("legend good-ink", (right, 44.0), Anchor::End, ("good (label 0)", "好客户（标签 0）"));
    plot.words("legend bad-ink", (right, 63.0), Anchor::End, ("bad (label 1)", "坏客户（标签 1）"));
    plot.finish("Distribution of joint probabilities of good and bad enterprises")
}

/// The part of the scale on which bins have rows.
fn visible(histogram: &Histogram) -> (f64, f64) {
    let used = |index: &usize| {
        histogram.good.get(*index).is_some_and(|c| *c > 0) || histogram.bad.get(*index).is_some_and(|c| *c > 0)
    };
    let bins = 0..histogram.edges.len().saturating_sub(1);
    let first = bins.clone().find(used).and_then(|i| histogram.edges.get(i));
    let last = bins.rev().find(used).and_then(|i| histogram.edges.get(i + 1));
    match (first, last) {
        (Some(first), Some(last)) if first < last => (*first, *last),
        _ => (0.0, 1.0),
    }
}

/// How the gradient shrinks, evaluation by evaluation.
pub fn convergence(trace: &[TracePoint]) -> String {
    let points: Vec<(f64, f64, String)> = trace
        .iter()
        .filter_map(|p| {
            let norm = p.norm.filter(|n| *n > 0.0)?;
            Some((p.evaluation as f64, norm.log10(), set_name(&p.sine_set)))
        })
        .collect();
    let last = trace.iter().map(|p| p.evaluation).max().unwrap_or(1).max(1) as f64;
    let low = points.iter().map(|p| p.1).fold(-7.0, f64::min).floor();
    let high = points.iter().map(|p| p.1).fold(0.0, f64::max).ceil();
    let margin = Margin { left: 50.0, ..SQUARE };
    let mut plot = Plot::new(480.0, 300.0, margin, (0.0, last), (low, high));
    plot.ticks_x(round_ticks(0.0, last).into_iter().filter(|t| t.fract() == 0.0).map(|t| (t, format!("{t:.0}"))));
    let steps = (0..=20u8).map(|i| high - 2.0 * f64::from(i)).take_while(|v| *v >= low);
    plot.ticks_y(steps.map(|v| (v, if v == 0.0 { "1".to_owned() } else { format!("1e{v:.0}") })));
    plot.name_x(("evaluation", "评估次数"));
    plot.name_y(("gradient, relative to the start", "相对初始的梯度"));
    plot.segment("goal", (0.0, -6.0), (last, -6.0));
    let at = (plot.at_x(0.0) + 6.0, plot.at_y(-6.0) - 6.0);
    plot.words("tick", at, Anchor::Start, ("converged below this line", "低于此线即收敛"));
    plot.line("curve thin joint", points.iter().map(|p| (p.0, p.1)));
    for (x, y, set) in &points {
        let title = format!("evaluation {x:.0}: {:.1e} {set}", 10f64.powf(*y));
        plot.dot("dot joint", (*x, *y), 4.0, title.trim_end());
    }
    plot.finish("Norm of the gradient by evaluation")
}

/// The registered sine set of an evaluation, as the registry writes its number.
fn set_name(set: &serde_json::Value) -> String {
    match set {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(name) => format!("(sine set {name})"),
        other => other.as_u64().map_or_else(String::new, |number| format!("(sine set {number:#06x})")),
    }
}
