//! The report of a pooled run: what each bank gains, and what it cost whom.
use super::page;
use super::plot::{Anchor, Margin, Plot, round_ticks};
use super::sections::{cards, section};
use super::words::{both, bytes, escape, seconds, table, whole};
use crate::demo::pooled::outcome::{BankOutcome, Measures, PooledOutcome};
use crate::language::Language;
use std::fmt::Write;

/// The whole page, opened in the given language.
pub fn render(outcome: &PooledOutcome, language: Language) -> String {
    let names: Vec<String> = outcome.banks.iter().map(|b| escape(&b.alias)).collect();
    let title = format!("Hefu: {}", names.join(" + "));
    let body = [
        headline(outcome, &names),
        gains(outcome),
        model(outcome),
        rounds(outcome),
        learned(outcome),
        cost(outcome),
        method(outcome),
    ]
    .concat();
    let (software, job) = (escape(&outcome.settings.software), escape(&outcome.result.job));
    let footer = both(
        &format!(
            "{software} · job {job} · sums and model come from the nodes of this run; the operator of the demo, who has \
             all files, computed the figures on the test rows"
        ),
        &format!(
            "{software} · 作业 {job} · 求和与模型来自本次运行的各节点；测试样本上的指标由持有全部文件的演示操作者计算"
        ),
    );
    page(&title, &body, &footer, language)
}

fn headline(outcome: &PooledOutcome, names: &[String]) -> String {
    let best = outcome.banks.iter().filter_map(|b| b.alone.as_ref()).map(|m| m.auc).fold(f64::NAN, f64::max);
    let (train, test) = (whole(outcome.result.train_rows), whole(outcome.test_rows));
    let auc = outcome.pooled.auc;
    let lead = both(
        &format!(
            "{train} training rows of {} banks, none of which left its bank, make one model. On {test} other rows its AUC is \
             {auc:.3}; the best bank alone reaches {best:.3}.",
            names.len()
        ),
        &format!(
            "{} 家银行的 {train} 行训练样本均未离开本行，共同得到一个模型。在另外 {test} 行上 AUC 为 \
             {auc:.3}；单独建模最好的银行为 {best:.3}。",
            names.len()
        ),
    );
    let mut out = format!(
        "<header>\n<p class=\"kicker\">{}</p>\n<h1>{}</h1>\n<p class=\"lead\">{lead}</p>\n",
        both("Pooled credit model · report of one run", "样本合并建模 · 运行报告"),
        both(&names.join(", "), &names.join("、")),
    );
    if outcome.settings.is_synthetic {
        let badge = both(
            "Synthetic data: invented enterprises. No real firm is in it.",
            "合成数据：虚构企业，不含任何真实企业。",
        );
        let _ = writeln!(out, "<p class=\"badge\">{badge}</p>");
    }
    out.push_str("</header>\n");
    out
}

fn gains(outcome: &PooledOutcome) -> String {
    let body = [
        format!(
            "<figure><figcaption>{}</figcaption>{}<p class=\"note\">{}</p></figure>",
            both("AUC: alone and pooled", "AUC：单独与合并"),
            dumbbells(outcome, "AUC", |m| (m.auc, m.auc_ci)),
            both("95 % intervals after DeLong.", "95 % 置信区间（DeLong）。"),
        ),
        format!(
            "<figure><figcaption>{}</figcaption>{}<p class=\"note\">{}</p></figure>",
            both("KS: alone and pooled", "KS：单独与合并"),
            dumbbells(outcome, "KS", |m| (m.ks, m.ks_ci)),
            both("95 % intervals from 1,000 stratified bootstraps.", "95 % 置信区间（1,000 次分层自助抽样）。"),
        ),
    ]
    .concat();
    let heads = [
        both("bank", "银行"),
        both("rows", "样本"),
        both("to train", "用于训练"),
        both("of them bad", "其中坏样本"),
        both("AUC alone", "单独 AUC"),
        both("gain by pooling", "合并提升"),
        both("KS alone", "单独 KS"),
    ];
    let line = |b: &BankOutcome| {
        let mut cells = vec![escape(&b.alias), whole(b.rows), whole(b.train_rows), whole(b.positive)];
        match &b.alone {
            Some(m) => cells.extend([
                format!("{:.4}", m.auc),
                format!("{:+.4}", outcome.pooled.auc - m.auc),
                format!("{:.4}", m.ks),
            ]),
            None => cells.extend([
                both("no model", "无法建模"),
                "–".to_owned(),
                escape(b.no_model.as_deref().unwrap_or_default()),
            ]),
        }
        cells
    };
    let lines: Vec<Vec<String>> = outcome.banks.iter().map(line).collect();
    let body = format!("<div class=\"two\">{body}</div>\n{}", table(&heads, &lines));
    section("", ("What each bank gains", "各银行的收益"), &body)
}

/// One line a bank: alone (hollow) to pooled (solid), with their intervals.
fn dumbbells(outcome: &PooledOutcome, name: &str, of: impl Fn(&Measures) -> (f64, [f64; 2])) -> String {
    let pooled = of(&outcome.pooled);
    let alone: Vec<_> = outcome.banks.iter().map(|b| (b, b.alone.as_ref().map(&of))).collect();
    let low = alone.iter().filter_map(|(_, m)| m.map(|m| m.1[0])).fold(pooled.1[0], f64::min);
    let high = alone.iter().filter_map(|(_, m)| m.map(|m| m.1[1])).fold(pooled.1[1], f64::max);
    let room = ((high - low) * 0.08).max(0.005);
    let lines = outcome.banks.len() as f64;
    let margin = Margin { left: 108.0, right: 18.0, top: 10.0, bottom: 26.0 };
    let mut plot = Plot::new(480.0, 44.0 * lines + 44.0, margin, (low - room, high + room), (0.0, lines));
    plot.ticks_x(round_ticks(low - room, high + room).into_iter().map(|t| (t, format!("{t:.2}"))));
    for (index, (bank, alone)) in alone.iter().enumerate() {
        let y = lines - index as f64 - 0.5;
        let label = plot.at_y(y) + 4.0;
        plot.word("label", (8.0, label), Anchor::Start, &bank.alias);
        let mut row = |class: &str, y: f64, (value, [from, to]): (f64, [f64; 2]), what: &str| {
            plot.segment(&format!("whisker {class}"), (from, y), (to, y));
            plot.dot(&format!("dot {class}"), (value, y), 5.5, &format!("{what} {value:.4} [{from:.4}, {to:.4}]"));
        };
        if let Some(alone) = alone {
            row("alone", y + 0.17, *alone, &format!("{name} {} alone", bank.alias));
        }
        row("joint", y - 0.17, pooled, &format!("{name} pooled"));
    }
    plot.finish(&format!("{name} of each bank alone and of the pooled model, {:.3}, with 95 % intervals", pooled.0))
}

fn model(outcome: &PooledOutcome) -> String {
    let of = |name: &str| outcome.result.coefficients.get(name).copied().unwrap_or_default();
    let mut named: Vec<(&str, f64)> = outcome.columns.iter().map(|name| (name.as_str(), of(name))).collect();
    named.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    let most = named.iter().map(|(_, c)| c.abs()).fold(1e-9, f64::max) * 1.15;
    let lines = named.len() as f64;
    let margin = Margin { left: 170.0, right: 60.0, top: 6.0, bottom: 26.0 };
    let mut plot = Plot::new(900.0, 22.0 * lines + 40.0, margin, (-most, most), (0.0, lines));
    plot.ticks_x(round_ticks(-most, most).into_iter().map(|t| (t, format!("{t:.2}"))));
    for (index, (name, value)) in named.iter().enumerate() {
        let y = lines - index as f64 - 0.5;
        let at = plot.at_y(y) + 4.0;
        plot.word("label", (8.0, at), Anchor::Start, name);
        plot.block("party-0", (0.0, y + 0.32), (*value, y - 0.32), &format!("{name} {value:+.6}"));
    }
    let picture = plot.finish("coefficients of the pooled model");
    let rows: Vec<Vec<String>> = outcome
        .columns
        .iter()
        .map(|name| {
            let scale = |map: &std::collections::BTreeMap<String, f64>| {
                map.get(name).map_or_else(String::new, |value| format!("{value:.6}"))
            };
            vec![
                escape(name),
                format!("{:+.6}", of(name)),
                scale(&outcome.result.mean),
                scale(&outcome.result.deviation),
            ]
        })
        .chain([vec![
            both("intercept", "截距"),
            format!("{:+.6}", outcome.result.intercept),
            String::new(),
            String::new(),
        ]])
        .collect();
    let heads = [
        both("column", "列"),
        both("coefficient", "系数"),
        both("pooled mean", "合并均值"),
        both("deviation", "标准差"),
    ];
    let body = format!(
        "<p>{}</p>\n<figure>{picture}</figure>\n<details><summary>{}</summary>{}</details>",
        both(
            "Change in log-odds of default when a column grows by one pooled standard deviation. The fit is that of all rows \
             in one place, up to quantisation.",
            "某列增加一个合并标准差时违约对数几率的变化。结果与所有样本集中在一处拟合相同（仅差量化误差）。"
        ),
        both("All coefficients, six decimals", "全部系数（六位小数）"),
        table(&heads, &rows),
    );
    section("", ("What the model is made of", "模型构成"), &body)
}

fn rounds(outcome: &PooledOutcome) -> String {
    let trace = &outcome.result.trace;
    let (count, lines) = (trace.len().max(1) as f64, outcome.banks.len() as f64);
    let margin = Margin { left: 108.0, right: 18.0, top: 8.0, bottom: 44.0 };
    let mut plot = Plot::new(900.0, 26.0 * lines + 60.0, margin, (0.0, count), (0.0, lines));
    plot.ticks_x((0..trace.len()).map(|round| (round as f64 + 0.5, round.to_string())));
    plot.name_x(("round", "轮次"));
    for (index, bank) in outcome.banks.iter().enumerate() {
        let y = lines - index as f64 - 0.5;
        let at = plot.at_y(y) + 4.0;
        plot.word("label", (8.0, at), Anchor::Start, &bank.alias);
        for (round, entry) in trace.iter().enumerate() {
            let lost = entry.lost.iter().find(|lost| lost.party == bank.alias);
            let class = if entry.survivors.contains(&bank.alias) { "matched" } else { "dropped" };
            let reason = lost.map(|l| format!(": {}", l.code)).unwrap_or_default();
            let title = format!("{}, round {round}, {}{reason}", bank.alias, entry.statistic);
            plot.block(class, (round as f64 + 0.06, y + 0.34), (round as f64 + 0.94, y - 0.34), &title);
        }
    }
    let picture = plot.finish("who took part in each round");
    let legend = format!(
        "<p class=\"legend\"><span class=\"key matched-key\"></span>{} <span class=\"key dropped-key\"></span>{}</p>",
        both("in the sum", "计入求和"),
        both("lost", "掉线"),
    );
    let heads = [
        both("round", "轮次"),
        both("sum of", "求和内容"),
        both("in the sum", "计入"),
        both("seconds", "秒"),
        both("loss", "损失"),
    ];
    let line = |entry: &hefu::Round| {
        vec![
            entry.round.to_string(),
            statistic(&entry.statistic),
            whole(entry.survivors.len() as u64),
            format!("{:.3}", entry.seconds),
            entry.loss.map_or_else(|| "–".to_owned(), |loss| format!("{loss:.4}")),
        ]
    };
    let lines: Vec<Vec<String>> = trace.iter().map(line).collect();
    let body = format!("<figure>{picture}{legend}</figure>\n{}", table(&heads, &lines));
    section("", ("The rounds", "各轮次"), &body)
}

fn statistic(name: &str) -> String {
    match name {
        "moments" => both("counts and column sums", "计数与列和"),
        "deviations" => both("squares around the mean", "离差平方和"),
        "newton" => both("a step of Newton's method", "牛顿法一步"),
        other => escape(other),
    }
}

fn learned(outcome: &PooledOutcome) -> String {
    let mut body = format!(
        "<p>{}</p>\n<div class=\"cards\">\n",
        both(
            "No row left its bank, and no bank's own figures: the coordinator sees masked values whose masks cancel in the \
             sum alone. What follows is everything that the protocol tells a party that keeps to it.",
            "任何样本行与任何银行自身的统计量均未离开本行：协调方只看到加掩码的数值，掩码仅在求和时抵消。\
             下面列出协议会让守约各方得知的全部信息。"
        )
    );
    cards(&mut body, &outcome.result.disclosure, outcome.banks.len());
    if let Some(dropped) = &outcome.settings.dropped {
        let _ = write!(
            body,
            "<p class=\"warning\">{}</p>",
            both(
                &format!(
                    "In this run {} left in the middle of a round. The sums before and after differ by that bank: whoever \
                     has both learns its share. The banks' agreements of this run permit it; without that the job ends.",
                    escape(dropped)
                ),
                &format!(
                    "本次运行中 {} 在一轮中途掉线。前后两次求和只差该银行，同时持有两者的一方可得知该行数值。\
                     本次运行的授权允许这样做；否则作业将终止。",
                    escape(dropped)
                ),
            )
        );
    }
    section("", ("What each bank learned", "各银行得知的信息"), &body)
}

fn cost(outcome: &PooledOutcome) -> String {
    let heads = [both("bank", "银行"), both("CPU", "CPU"), both("sent", "发送"), both("peak memory", "内存峰值")];
    let dash = || "–".to_owned();
    let line = |b: &BankOutcome| {
        vec![
            escape(&b.alias),
            b.cpu_seconds.map_or_else(dash, seconds),
            b.bytes.map_or_else(dash, bytes),
            b.peak_rss_mib.map_or_else(dash, |mib| format!("{mib:.0} MiB")),
        ]
    };
    let lines: Vec<Vec<String>> = outcome.banks.iter().map(line).collect();
    let total = outcome.result.seconds.get("total").copied().unwrap_or_default();
    let walls = both(
        &format!("The job took {} in {} rounds.", seconds(total), outcome.result.rounds),
        &format!("作业共 {} 轮，用时 {}。", outcome.result.rounds, seconds(total)),
    );
    section("", ("What it cost", "开销"), &format!("<p>{walls}</p>\n{}", table(&heads, &lines)))
}

fn method(outcome: &PooledOutcome) -> String {
    let judged = if outcome.settings.has_test_file {
        both("a file of its own; all rows of the banks train", "独立的测试文件；各银行全部样本参与训练")
    } else {
        both("in every bank the rows whose key hashes below 3 of 10", "各银行中主键哈希模 10 小于 3 的样本")
    };
    let lines = [
        (both("algorithm", "算法"), both("hlr-1 on aggregate-sum-1", "hlr-1 + aggregate-sum-1")),
        (both("objective", "目标函数"), format!("Σ log loss + ½·{}·‖β‖²", outcome.settings.lambda)),
        (
            both("standardisation", "标准化"),
            both("pooled mean and deviation, each summed once", "合并均值与标准差，各求和一次"),
        ),
        (both("test rows", "测试样本"), judged),
        (both("threshold", "门限"), both("more than two thirds of the banks", "超过三分之二的银行")),
    ];
    let list: String = lines.iter().map(|(term, text)| format!("<dt>{term}</dt><dd>{text}</dd>")).collect();
    section("", ("How it was computed", "计算方法"), &format!("<dl>{list}</dl>"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::pooled::outcome::Settings;
    use hefu::{PoolReport, Round};

    fn sample() -> PooledOutcome {
        let measured = |auc: f64| Measures { auc, auc_ci: [auc - 0.02, auc + 0.02], ks: auc - 0.4, ks_ci: [0.2, 0.4] };
        let bank = |alias: &str, auc: Option<f64>| BankOutcome {
            alias: alias.to_owned(),
            rows: 600,
            train_rows: 600,
            positive: 21,
            alone: auc.map(measured),
            no_model: auc.is_none().then(|| "ONE_CLASS".to_owned()),
            ..BankOutcome::default()
        };
        let mut result = PoolReport::default();
        (result.rounds, result.intercept) = (2, -2.0);
        result.coefficients.insert("debt".to_owned(), 0.4);
        let mut round = Round::default();
        round.statistic = "moments".to_owned();
        round.survivors = vec!["north".to_owned(), "<img>".to_owned()];
        result.trace = vec![round];
        PooledOutcome {
            result,
            banks: vec![bank("north", Some(0.66)), bank("<img>", Some(0.61)), bank("west", None)],
            columns: vec!["debt".to_owned()],
            test_rows: 4000,
            pooled: measured(0.71),
            roc: Vec::new(),
            settings: Settings { is_synthetic: true, dropped: Some("west@0".to_owned()), ..Settings::default() },
        }
    }

    #[test]
    fn the_page_needs_nothing_from_outside_and_escapes_names() {
        let page = render(&sample(), Language::English);
        for outside in ["http://", "https://", "src=", "@import", "url(", "<script", "<link", "<img>", "NaN"] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.ends_with("</html>\n"));
    }

    #[test]
    fn every_bank_and_what_it_gains_is_there() {
        let page = render(&sample(), Language::Chinese);
        for text in ["north", "west", "ONE_CLASS", "+0.0500", "AUC", "KS", "west@0", "debt", "掉线"] {
            assert!(page.contains(text), "{text}");
        }
    }
}
