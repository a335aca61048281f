//! The report's last part: by which rules it was computed, and how the run was secured.
use super::facts;
use super::sections::section;
use super::words::{both, escape, percent, power_of_two};
use crate::demo::outcome::Outcome;
use hefu::result::Report;
use std::fmt::Write;

/// How it was computed, and how it is secured.
pub fn method(outcome: &Outcome) -> String {
    let (r, s) = (&outcome.result, &outcome.settings);
    let mut body = warnings(outcome);
    body.push_str("<div class=\"two\">\n<div>\n");
    let _ = write!(body, "<h3>{}</h3>\n<ul class=\"plain\">", both("Rules", "规则"));
    for (en, zh) in rules(r, &s.join, &s.missing, s.lambda) {
        let _ = write!(body, "<li>{}</li>", both(&en, &zh));
    }
    let _ = write!(body, "</ul>\n</div>\n<div>\n<h3>{}</h3>\n<dl>", both("Security of this run", "本次运行的安全性"));
    let group = r.security.tls_group.as_deref().filter(|group| !group.is_empty());
    let tls = group.map_or_else(|| "TLS 1.3".to_owned(), |g| format!("TLS 1.3, {}", escape(g)));
    let mut backends: Vec<&str> = outcome.parties.iter().map(|p| p.backend.as_str()).collect();
    backends.dedup();
    for (term, value) in [
        (both("connections", "连接"), format!("{tls}, {}", both("mutual certificates", "双向证书"))),
        (both("messages", "消息"), both("sealed end to end, AES-256-GCM", "端到端加密，AES-256-GCM")),
        (
            both("matching", "匹配"),
            both("elliptic-curve Diffie–Hellman, ristretto255", "椭圆曲线 Diffie–Hellman，ristretto255"),
        ),
        (both("training", "训练"), both("ring-LWE, shared residuals, no third party", "环 LWE，残差分片，无第三方")),
        (
            both("statistical distance of the job", "作业统计距离"),
            format!("≤ {}", power_of_two(r.security.statistical_distance_log2)),
        ),
        (both("probability of a wrong answer", "出错概率"), format!("≤ {}", power_of_two(r.security.failure_log2))),
        (both("arithmetic kernels", "运算内核"), escape(&backends.join(", "))),
        (
            both("threat model", "威胁模型"),
            both("semi-honest parties; every received element is checked", "半诚实参与方；校验所有收到的元素"),
        ),
    ] {
        let _ = write!(body, "<dt>{term}</dt><dd>{value}</dd>");
    }
    body.push_str("</dl>\n</div>\n</div>\n");
    section("", ("How it was computed", "计算方法"), &body)
}

fn rules(r: &Report, join: &str, missing: &str, lambda: f64) -> Vec<(String, String)> {
    let test = percent(r.test_rows, r.rows_aligned);
    let join_rule = if join == "left" {
        (
            "Rows: all valid rows of the bank; an agency's values are 0 where it lacks the enterprise, with a \
             column <code>missing</code>.",
            "样本：银行全部有效行；机构没有该企业时取 0，并增加 <code>missing</code> 列。",
        )
    } else {
        ("Rows: enterprises that every agency knows.", "样本：所有机构都有的企业。")
    };
    let missing_rule = if missing == "mean" {
        ("Empty cells: the column's training mean.", "空值：取该列训练均值。")
    } else {
        ("Empty cells: none; an empty cell ends the job.", "空值：不允许，出现即终止作业。")
    };
    vec![
        (join_rule.0.to_owned(), join_rule.1.to_owned()),
        (
            format!(
                "Split: a row is a test row when the first 8 bytes of SHA-256 of its key, modulo 10, are below \
                 3 ({test} here)."
            ),
            format!("划分：主键 SHA-256 前 8 字节对 10 取模小于 3 者为测试样本（本次占 {test}）。"),
        ),
        (
            "Columns: standardised by mean and population deviation of the training rows.".to_owned(),
            "各列：按训练样本的均值与总体标准差标准化。".to_owned(),
        ),
        (missing_rule.0.to_owned(), missing_rule.1.to_owned()),
        (
            format!(
                "Model: logistic regression, sum of log losses + ½·{lambda}·‖β‖², intercept not penalised, to \
                 convergence."
            ),
            format!("模型：逻辑回归，对数损失之和 + ½·{lambda}·‖β‖²，截距不惩罚，迭代至收敛。"),
        ),
        (
            "Bank alone: the bank's columns only, on the same rows, split and penalty.".to_owned(),
            "银行单独：仅用银行列，样本、划分与惩罚相同。".to_owned(),
        ),
    ]
}

fn warnings(outcome: &Outcome) -> String {
    let mut out = String::new();
    for (name, party, columns, cause) in outcome.grouped_warnings() {
        let place =
            if columns.is_empty() { String::new() } else { format!(" <code>{}</code>", escape(&columns.join(", "))) };
        let (name, party) = (escape(name), escape(party));
        let cause = both(&escape(cause), &escape(&facts::fact(cause)));
        let _ = writeln!(out, "<p class=\"warning\"><b>{name}</b> {party}{place} {cause}</p>");
    }
    out
}
