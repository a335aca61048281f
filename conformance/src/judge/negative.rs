//! The rule of negative cases: the control passes first, one deviation is refused with a code of the closed set,
//! nothing forbidden follows, the target is alive afterwards.

use super::{Finding, Verdict, ending, initiator, oracle, run};
use crate::case::{Case, Operator, RawBytes, Role, Scenario};
use crate::registry;
use crate::transcript::{Event, Run, Transcript};
use crate::wire::message;

/// How the target refused.
enum Refusal<'a> {
    Code { code: Option<u32>, name: &'a str, text: &'a str },
    Transport,
}

pub(super) fn judge(case: &Case, control: Option<Verdict>, transcript: &Transcript) -> Finding {
    let mut finding = Finding::new(Verdict::Inconclusive, "");
    finding.expected = expected(case, transcript);
    let Some(main) = run(transcript, "main") else {
        finding.reason = "no dialogue took place".into();
        return finding;
    };
    finding.got = ending(main);
    if !matches!(control, Some(Verdict::Pass | Verdict::Warn)) {
        let verdict = control.map_or("missing", Verdict::name);
        finding.reason = format!("control {} is {verdict}", case.control.as_deref().unwrap_or("none"));
        return finding;
    }
    let Some((at, what)) = main.deviation() else {
        finding.reason = format!("the deviation was never sent: {}", ending(main));
        return finding;
    };
    finding.sent = what.to_owned();
    match fault(case, transcript, main, at) {
        None => finding.verdict = Verdict::Pass,
        Some(reason) => {
            finding.verdict = Verdict::Fail;
            finding.reason = reason;
        }
    }
    finding
}

fn fault(case: &Case, transcript: &Transcript, main: &Run, at: usize) -> Option<String> {
    if case.role == Role::Initiator {
        return initiator::refused(case, main, at)
            .or_else(|| forbidden(case, main, at).map(|what| format!("refused, and yet {what} followed")))
            .or_else(|| alive(case, transcript));
    }
    let refusal = refusal(case, main, at);
    let Some(refusal) = refusal else {
        return Some(if main.completed() { "accepted".into() } else { format!("not refused: {}", ending(main)) });
    };
    if let Some(reason) = wrong(case, &refusal) {
        return Some(reason);
    }
    if let Some(what) = forbidden(case, main, at) {
        return Some(format!("refused, and yet {what} followed"));
    }
    if case.expect.survives {
        let faults = oracle::dialogue(case, &transcript.target, main);
        if let Some(first) = faults.first() {
            return Some(format!("refused, but the session did not live on: {first}"));
        }
    }
    alive(case, transcript)
}

/// Whether the whole alignment afterwards went through.
fn alive(case: &Case, transcript: &Transcript) -> Option<String> {
    match run(transcript, "liveness") {
        None => Some("ERR-3: it is not known whether the target is alive afterwards".into()),
        Some(alive) => {
            let faults = match case.role {
                Role::Collaborator => oracle::dialogue(case, &transcript.target, alive),
                Role::Initiator => {
                    let plain = Case { setting: Default::default(), scenario: Scenario::Align, ..case.clone() };
                    initiator::dialogue(&plain, &transcript.target, alive)
                }
            };
            faults.first().map(|first| format!("ERR-3: the target is not alive afterwards: {first}"))
        }
    }
}

/// The first refusal after the deviation.
fn refusal<'a>(case: &Case, main: &'a Run, at: usize) -> Option<Refusal<'a>> {
    main.events.iter().skip(at).find_map(|record| match &record.event {
        Event::Refused { code, name, text, .. } => Some(Refusal::Code { code: *code, name, text }),
        Event::Cut { .. } => Some(Refusal::Transport),
        Event::Raw { received, closed, .. } => raw_refused(case, received, *closed).then_some(Refusal::Transport),
        _ => None,
    })
}

/// Bytes in place of TLS are refused by an alert (content type 21) or by closing; TLS 1.2 by no ServerHello.
fn raw_refused(case: &Case, received: &str, closed: bool) -> bool {
    let expected = match case.operator {
        Some(Operator::Raw { bytes: RawBytes::Tls12Hello | RawBytes::Http2Preface }) => "15",
        _ => return false,
    };
    received.starts_with(expected) || (received.is_empty() && closed)
}

fn wrong(case: &Case, refusal: &Refusal<'_>) -> Option<String> {
    let allowed = &case.expect.codes;
    match refusal {
        Refusal::Transport if case.expect.transport => None,
        Refusal::Transport => Some(format!("the connection was ended in place of {}", allowed.join(" or "))),
        Refusal::Code { code: None, .. } => Some("ERR-1: refused without a registry code".into()),
        Refusal::Code { code: Some(code), name, text } => {
            let known = registry::name(*code);
            if !allowed.contains(&known) {
                return Some(format!("ERR-1: {code} {known} in place of {}", allowed.join(" or ")));
            }
            if !name.is_empty() && **name != known {
                return Some(format!("ERR-1: code {code} is {known}, the refusal names it {name}"));
            }
            echo(case, text).map(|word| format!("ERR-2: the refusal repeats `{word}` of the suite's message"))
        }
    }
}

/// A made-up word of the case that the refusal's text repeats.
fn echo(case: &Case, text: &str) -> Option<String> {
    let (Operator::OfferSet { value, .. } | Operator::OfferPush { value, .. }) = case.operator.as_ref()? else {
        return None;
    };
    let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    let words = values.iter().filter_map(|v| v.as_str()).filter(|word| word.starts_with("x-"));
    words.map(str::to_owned).find(|word| text.contains(word))
}

fn forbidden(case: &Case, main: &Run, at: usize) -> Option<String> {
    let forbid = &case.expect.forbid;
    let answered = main.events.iter().skip(at).find_map(|record| match &record.event {
        Event::Answered { call, .. } if forbid.contains(call) => Some(format!("an answer of {call}")),
        _ => None,
    });
    let messages = main.messages();
    let mut later = messages.iter().filter(|(begin, _, _)| *begin > at).map(|(_, kind, _)| message::name(*kind));
    answered.or_else(|| later.find(|name| forbid.contains(name)))
}

fn expected(case: &Case, transcript: &Transcript) -> String {
    let mut ways: Vec<String> = case.expect.codes.clone();
    if case.expect.transport {
        ways.insert(0, "a TLS alert or a closed connection".into());
    }
    let mut out = format!("{} within {} ms", ways.join(" or "), transcript.deadline_ms);
    if !case.expect.forbid.is_empty() {
        out.push_str(&format!("; no {} after it", case.expect.forbid.join(", no ")));
    }
    if case.expect.survives {
        out.push_str("; the session lives on");
    }
    out
}
