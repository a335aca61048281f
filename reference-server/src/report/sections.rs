//! The report's parts, from the headline to how it was computed.
use super::words::{both, bytes, escape, seconds, table, whole};
use super::{facts, figures, parties};
use crate::demo::outcome::{Outcome, PartyOutcome};
use hefu::result::{PartyDisclosure, Report};
use std::fmt::Write;

/// The page's title, as text.
pub fn title(outcome: &Outcome) -> String {
    let names: Vec<String> = outcome.parties.iter().map(|p| escape(&p.alias)).collect();
    format!("Hefu: {}", names.join(" + "))
}

fn names_of_agencies(outcome: &Outcome, joint: &str) -> String {
    let names: Vec<String> = outcome.parties.iter().skip(1).map(|p| escape(&p.alias)).collect();
    names.join(joint)
}

/// One titled part of the page.
pub fn section(class: &str, heading: (&str, &str), body: &str) -> String {
    format!("<section class=\"{class}\">\n<h2>{}</h2>\n{body}</section>\n", both(heading.0, heading.1))
}

fn figure(heading: (&str, &str), picture: &str, note: (&str, &str)) -> String {
    let heading = both(heading.0, heading.1);
    let note =
        if note.0.is_empty() { String::new() } else { format!("<p class=\"note\">{}</p>", both(note.0, note.1)) };
    format!("<figure><figcaption>{heading}</figcaption>{picture}{note}</figure>\n")
}

/// Bank alone against joint.
pub fn headline(outcome: &Outcome) -> String {
    let r = &outcome.result;
    let bank = outcome.parties.first().map_or_else(|| "bank".to_owned(), |p| escape(&p.alias));
    let mut out = String::from("<header>\n");
    let _ = write!(
        out,
        "<p class=\"kicker\">{}</p>\n<h1>{}</h1>\n<p class=\"lead\">{}</p>\n",
        both("Joint credit model · report of one run", "联合信用模型 · 运行报告"),
        both(
            &format!("{bank} <span class=\"with\">with</span> {}", names_of_agencies(outcome, ", ")),
            &format!("{bank} <span class=\"with\">联合</span> {}", names_of_agencies(outcome, "、")),
        ),
        verdict(r),
    );
    if let Some(world) = outcome.settings.synthetic {
        let (n, seed) = (whole(world.enterprises), world.seed);
        let text = both(
            &format!("Synthetic data: {n} invented enterprises, seed {seed}. No real firm is in it."),
            &format!("合成数据：{n} 家虚构企业，种子 {seed}，不含任何真实企业。"),
        );
        let _ = writeln!(out, "<p class=\"badge\">{text}</p>");
    }
    out.push_str("</header>\n<section class=\"metrics\">\n");
    out.push_str(&metric(
        ("AUC", "AUC"),
        (r.auc_alone, r.auc_alone_ci),
        (r.auc, r.auc_ci),
        ("95 % intervals after DeLong", "95 % 置信区间（DeLong）"),
    ));
    out.push_str(&metric(
        ("KS", "KS"),
        (r.ks_alone, r.ks_alone_ci),
        (r.ks, r.ks_ci),
        ("95 % intervals from 1,000 stratified bootstraps", "95 % 置信区间（1,000 次分层自助抽样）"),
    ));
    out.push_str("</section>\n");
    out
}

fn verdict(r: &Report) -> String {
    let gain = r.auc - r.auc_alone;
    let apart = r.auc_alone_ci[1] < r.auc_ci[0];
    let (test, train) = (whole(r.test_rows), whole(r.train_rows));
    let (en, zh) = if gain <= 0.0 {
        ("On these data the agencies' columns do not help.", "在这些数据上，机构数据没有带来提升。")
    } else if apart {
        ("The two AUC intervals do not overlap.", "两个 AUC 区间互不重叠。")
    } else {
        (
            "The two AUC intervals overlap: judge the gain on more rows before you rely on it.",
            "两个 AUC 区间有重叠：请在更多样本上确认提升后再采用。",
        )
    };
    both(
        &format!(
            "Trained on {train} enterprises, judged on {test} others. With the agencies' columns the AUC goes from \
             {:.3} to {:.3} ({gain:+.3}). {en}",
            r.auc_alone, r.auc
        ),
        &format!(
            "在 {train} 家企业上训练，在另外 {test} 家上检验。加入机构数据后，AUC 由 {:.3} 变为 \
             {:.3}（{gain:+.3}）。{zh}",
            r.auc_alone, r.auc
        ),
    )
}

fn metric(name: (&str, &str), alone: (f64, [f64; 2]), joint: (f64, [f64; 2]), note: (&str, &str)) -> String {
    format!(
        "<figure class=\"metric\"><figcaption>{}</figcaption><p class=\"big\"><span class=\"from\">{:.3}</span>\
         <span class=\"arrow\" aria-hidden=\"true\">→</span><span class=\"to\">{:.3}</span>\
         <span class=\"gain\">{:+.3}</span></p>{}<p class=\"note\">{}</p></figure>\n",
        both(name.0, name.1),
        alone.0,
        joint.0,
        joint.0 - alone.0,
        figures::interval(name.0, alone, joint),
        both(note.0, note.1),
    )
}

/// Curves over the test rows.
pub fn quality(outcome: &Outcome) -> String {
    let r = &outcome.result;
    let body = [
        figure(
            ("ROC curve", "ROC 曲线"),
            &figures::roc(r),
            (
                "The further the curve is above the diagonal, the better it tells bad from good.",
                "曲线越高于对角线，区分能力越强。",
            ),
        ),
        figure(
            ("KS curve", "KS 曲线"),
            &figures::ks(r),
            ("KS is the widest gap between the two cumulative shares.", "KS 为两条累计曲线之间的最大距离。"),
        ),
        figure(
            ("Score distribution", "评分分布"),
            &figures::distribution(&r.curves.histogram),
            ("Each outcome adds up to 100 %.", "每类样本合计为 100 %。"),
        ),
        figure(
            ("Convergence", "收敛过程"),
            &figures::convergence(&r.trace),
            (
                "Early evaluations use a coarse encrypted sigmoid, the last ones a fine one.",
                "前期使用较粗的加密 sigmoid，后期使用精细的。",
            ),
        ),
    ]
    .concat();
    section("grid", ("How well the model separates", "模型区分能力"), &format!("<div class=\"two\">{body}</div>\n"))
}

/// Coefficients of each party.
pub fn model(outcome: &Outcome) -> String {
    let mut body = format!(
        "<p>{}</p>\n<div class=\"masonry\">\n",
        both(
            "Change in log-odds of default when a column grows by one standard deviation. Each party's node \
             keeps its own \
             coefficients; the operator of this run read them on each control side to draw them together.",
            "某列增加一个标准差时违约对数几率的变化。系数由各方节点各自保存；\
             本次运行的操作者从各方控制端口读取后汇总展示。",
        )
    );
    for (rank, party) in outcome.parties.iter().enumerate() {
        let name = escape(&party.alias);
        let columns = whole(party.columns.len() as u64);
        let heading =
            (format!("{name} <small>{columns} columns</small>"), format!("{name} <small>{columns} 列</small>"));
        body.push_str(&figure((&heading.0, &heading.1), &parties::coefficients(party, rank, outcome), ("", "")));
    }
    body.push_str("</div>\n");
    let rows: Vec<Vec<String>> = outcome
        .parties
        .iter()
        .flat_map(|p| {
            p.columns.iter().map(|(c, v)| vec![format!("{}.{}", escape(&p.alias), escape(c)), format!("{v:+.6}")])
        })
        .chain([vec![both("intercept", "截距"), format!("{:+.6}", outcome.intercept)]])
        .collect();
    let heads = [both("column", "列"), both("coefficient", "系数")];
    let _ = writeln!(
        body,
        "<details><summary>{}</summary>{}</details>",
        both("All coefficients, six decimals", "全部系数（六位小数）"),
        table(&heads, &rows)
    );
    section("", ("What the model is made of", "模型构成"), &body)
}

/// How rows meet.
pub fn rows(outcome: &Outcome) -> String {
    let r = &outcome.result;
    let heads = [
        both("agency", "机构"),
        both("bank's rows", "银行样本"),
        both("matched", "匹配"),
        both("unmatched", "未匹配"),
        both("duplicate key", "重复主键"),
        both("invalid key", "无效主键"),
    ];
    let line = |name: String, x: &hefu::result::Rows| {
        let mut cells = vec![name];
        cells.extend([x.bank, x.matched, x.unmatched, x.duplicate, x.invalid].map(whole));
        cells
    };
    let mut lines: Vec<Vec<String>> = outcome.agencies().map(|(name, x)| line(escape(name), x)).collect();
    lines.push(line(both("all agencies", "全部机构"), &r.rows));
    let chain = format!(
        "<p class=\"chain\"><b>{}</b> {} <i>→</i> <b>{}</b> {} <i>→</i> <b>{}</b> {} + <b>{}</b> {}</p>\n",
        whole(r.rows.bank),
        both("rows of the bank", "银行样本"),
        whole(r.rows_aligned),
        both("in the joint table", "进入联合样本"),
        whole(r.train_rows),
        both("to train", "用于训练"),
        whole(r.test_rows),
        both("to test", "用于测试"),
    );
    let legend = format!(
        "<p class=\"legend\"><span class=\"key matched-key\"></span>{} <span class=\"key unmatched-key\"></span>{} \
         <span class=\"key dropped-key\"></span>{}</p>",
        both("known to the agency", "机构已有"),
        both("not known", "机构没有"),
        both("duplicate or invalid key", "主键重复或无效"),
    );
    let picture = format!("<figure>{}{legend}</figure>", parties::matching(outcome));
    let body = format!("{chain}<div class=\"two\">{picture}{}</div>\n{}", table(&heads, &lines), datasets(outcome));
    section("", ("Whose enterprises meet", "样本匹配"), &body)
}

/// What each party published: facts of its catalogue, and the digest that the job cited.
fn datasets(outcome: &Outcome) -> String {
    let heads = [
        both("party", "参与方"),
        both("rows published", "发布行数"),
        both("grain", "粒度"),
        both("period", "期间"),
        both("steward", "管理员"),
        both("schema", "数据模式"),
    ];
    let or_dash = |text: &str| if text.is_empty() { "–".to_owned() } else { escape(text) };
    let line = |p: &PartyOutcome| {
        let d = &p.dataset;
        let short: String = d.schema.chars().take(16).collect();
        let digest = format!("<code title=\"{}\">{}</code>", escape(&d.schema), or_dash(&short));
        let origin = if d.inferred { both(" (inferred)", "（推断）") } else { String::new() };
        vec![
            escape(&p.alias),
            whole(d.rows),
            or_dash(&d.grain),
            or_dash(&d.period),
            or_dash(&d.steward),
            format!("{digest}{origin}"),
        ]
    };
    let lines: Vec<Vec<String>> = outcome.parties.iter().map(line).collect();
    table(&heads, &lines)
}

/// What each party learned.
pub fn learned(outcome: &Outcome) -> String {
    let mut body = format!(
        "<p>{}</p>\n<div class=\"cards\">\n",
        both(
            "No row, key or label left its party in the clear. What follows is everything that the protocol \
             tells a party \
             that keeps to it; nothing else is claimed.",
            "任何一方的样本、主键与标签均未以明文离开。下面列出协议会让守约各方得知的全部信息，除此之外不作其他声明。",
        )
    );
    cards(&mut body, &outcome.result.disclosure, outcome.parties.len());
    section("", ("What each party learned", "各方得知的信息"), &body)
}

/// One card an entry of a disclosure; those beyond the parties are of several together. Closes the list of cards.
pub fn cards(body: &mut String, disclosure: &[PartyDisclosure], parties: usize) {
    for (rank, d) in disclosure.iter().enumerate() {
        let edge = if rank < parties { format!("edge-{}", rank % 6) } else { "edge-none".to_owned() };
        let _ = write!(
            body,
            "<article class=\"card {edge}\"><h3>{} <small>{}</small></h3><p class=\"learns\">{}</p><ul>",
            escape(&d.party),
            both(&escape(&d.role), &escape(&facts::role(&d.role))),
            both("learns", "得知")
        );
        for fact in &d.learns {
            let _ = write!(body, "<li>{}</li>", both(&facts::typeset(fact), &facts::typeset(&facts::fact(fact))));
        }
        body.push_str("</ul></article>\n");
    }
    body.push_str("</div>\n");
}

/// Time, bytes, memory.
pub fn cost(outcome: &Outcome) -> String {
    let r = &outcome.result;
    let legend = ["align", "train", "evaluate"]
        .map(|stage| {
            let words = parties::stage_words(stage);
            format!("<span class=\"key {stage}-key\"></span>{} ", both(words.0, words.1))
        })
        .concat();
    let pictures = [
        figure(("CPU time", "CPU 时间"), &parties::cpu(outcome), ("", "")),
        figure(("Bytes sent", "发送字节"), &parties::sent(outcome), ("", "")),
    ]
    .concat();
    let heads = [
        both("party", "参与方"),
        both("stage", "阶段"),
        both("wall", "时长"),
        both("CPU", "CPU"),
        both("sent", "发送"),
        both("received", "接收"),
    ];
    let lines: Vec<Vec<String>> = outcome.parties.iter().flat_map(stage_lines).collect();
    let totals: Vec<Vec<String>> = outcome.parties.iter().map(total_line).collect();
    let total_heads =
        [both("party", "参与方"), both("CPU", "CPU"), both("sent", "发送"), both("peak memory", "内存峰值")];
    let s = &r.seconds;
    let walls = both(
        &format!(
            "The job took {}: matching {}, training {} ({} evaluations), test scores {}.",
            seconds(s.total),
            seconds(s.align),
            seconds(s.train),
            r.rounds,
            seconds(s.evaluate)
        ),
        &format!(
            "作业总时长 {}：匹配 {}，训练 {}（{} 次评估），测试评分 {}。",
            seconds(s.total),
            seconds(s.align),
            seconds(s.train),
            r.rounds,
            seconds(s.evaluate)
        ),
    );
    let body = format!(
        "<p>{walls}</p>\n<p class=\"legend\">{legend}</p>\n<div class=\"two\">{pictures}</div>\n{}\
         <details><summary>{}</summary>{}</details>\n",
        table(&total_heads, &totals),
        both("By stage", "按阶段"),
        table(&heads, &lines)
    );
    section("", ("What it cost", "时间与流量"), &body)
}

fn total_line(p: &PartyOutcome) -> Vec<String> {
    vec![escape(&p.alias), seconds(p.cpu_seconds), bytes(p.bytes), format!("{:.0} MiB", p.peak_rss_mib)]
}

fn stage_lines(p: &PartyOutcome) -> Vec<Vec<String>> {
    let line = |s: &hefu::result::StageCost| {
        let stage = parties::stage_words(&s.stage);
        vec![
            escape(&p.alias),
            both(&escape(stage.0), &escape(stage.1)),
            seconds(s.seconds),
            seconds(s.cpu_seconds),
            bytes(s.bytes_sent),
            bytes(s.bytes_received),
        ]
    };
    p.stages.iter().map(line).collect()
}
