//! Up to 500 participants on the simulated network: messages and bytes of a participant against their number, with
//! everyone as neighbour and with the least number of neighbours. Writes `docs/aggregation-scale.svg`.
//!
//! `cargo test -p hefu-protocol --test aggregate_scale -- --ignored --nocapture`
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
#[path = "sim/aggregate.rs"]
mod world;

use hefu_core::{CoordinatorRole, Rank};
use hefu_crypto::Stream;
use hefu_protocol::aggregate::{Values, least_neighbours};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use world::{Network, Session};

/// What a round of so many participants costs.
#[derive(Debug, Clone, Copy)]
struct Point {
    parties: u16,
    /// Bytes that a participant sends and receives beside its values: mean over the participants.
    bytes: f64,
    /// Messages that a participant sends and receives.
    messages: f64,
    /// Bytes that the coordinator sends and receives, beside the values.
    coordinator: f64,
}

fn measure(parties: u16, neighbours: u16) -> Point {
    let banks = world::banks(parties + 1, false);
    let mut plan = world::plan(parties + 1, 0, CoordinatorRole::Only);
    plan.neighbours = neighbours;
    let mut dice = Stream::new([parties as u8; 16]);
    let session = Session::open(&banks, &plan, &BTreeSet::new(), &mut dice, |_, key| key);
    let values: Vec<Vec<Values>> = banks.iter().map(|_| world::values(&plan, &mut dice)).collect();
    let histories = banks.iter().map(|bank| bank.history.clone()).collect();
    let (mut sent, mut received) = (BTreeMap::new(), BTreeMap::new());
    let mut count = |from: Rank, outgoing: &mut hefu_protocol::Outgoing| {
        let bytes = outgoing.message.payload.len() as f64;
        for (totals, rank) in [(&mut sent, from), (&mut received, outgoing.to)] {
            let total: &mut (f64, f64) = totals.entry(rank).or_default();
            *total = (total.0 + bytes, total.1 + 1.0);
        }
    };
    let network =
        Network { session, values: values.clone(), leaving: BTreeMap::new(), histories, dice, tamper: &mut count };
    let outcome = network.run(&[]).outcome.unwrap();
    assert_eq!(outcome.survivors.len(), usize::from(parties));
    let expected = world::exact(&plan, parties, &values, &outcome.survivors);
    assert_eq!(outcome.sums.tensors()[0].integers().unwrap(), expected[0]);
    let both = |rank: Rank| (sent[&rank].0 + received[&rank].0, sent[&rank].1 + received[&rank].1);
    let n = f64::from(parties);
    let total = (1..=parties).map(|rank| both(Rank(rank))).fold((0.0, 0.0), |t, b| (t.0 + b.0, t.1 + b.1));
    // the envelope of five values
    let envelope = 8.0 * 5.0;
    Point { parties, bytes: total.0 / n - envelope, messages: total.1 / n, coordinator: both(Rank(0)).0 - n * envelope }
}

#[test]
#[ignore = "minutes of real cryptography; writes the figure of the documentation"]
fn figure() {
    let sizes = [10, 25, 50, 100, 200, 350, 500];
    let complete: Vec<Point> = sizes.iter().map(|n| shown(measure(*n, 0))).collect();
    let few = sizes.iter().filter_map(|n| Some((*n, least_neighbours(usize::from(*n))?)));
    let neighbours: Vec<Point> = few.map(|(n, k)| shown(measure(n, k))).collect();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/aggregation-scale.svg");
    std::fs::write(file, svg(&complete, &neighbours)).unwrap();
}

fn shown(point: Point) -> Point {
    println!("{point:?}");
    point
}

/// A few participants the same way, so that the figure's code is run by everybody.
#[test]
fn messages_do_not_grow_with_participants_and_bytes_do() {
    let (four, eight) = (measure(4, 0), measure(8, 0));
    assert_eq!((four.messages, eight.messages), (9.0, 9.0));
    assert!(eight.bytes > four.bytes && eight.coordinator > 3.0 * four.coordinator);
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 380.0;
const LEFT: f64 = 70.0;
const BOTTOM: f64 = 50.0;
const TOP: f64 = 60.0;

fn svg(complete: &[Point], neighbours: &[Point]) -> String {
    let step = 50e3;
    let steps = (complete.iter().map(|p| p.bytes).fold(0.0, f64::max) / step).ceil();
    let most = steps * step;
    let x = |parties: u16| LEFT + (WIDTH - LEFT - 30.0) * f64::from(parties) / 500.0;
    let y = |bytes: f64| HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * bytes / most;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<title>Secure sum: bytes of a participant against the number of participants</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"24\" font-size=\"15\">Bytes a participant sends and receives in one round, \
         beside its values</text>\n<text x=\"{LEFT}\" y=\"44\" fill=\"#555\">messages: {:.0} with either graph, \
         whatever the number of participants</text>\n",
        complete[0].messages
    );
    for tick in 0..=steps as u32 {
        let bytes = step * f64::from(tick);
        writeln!(
            out,
            "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{:.0} kB</text>",
            WIDTH - 30.0,
            LEFT - 8.0,
            y(bytes) + 4.0,
            bytes / 1e3,
            y = y(bytes),
        )
        .unwrap();
    }
    for parties in [0, 100, 200, 300, 400, 500] {
        let (x, y) = (x(parties), HEIGHT - BOTTOM + 18.0);
        writeln!(out, "<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{parties}</text>").unwrap();
    }
    writeln!(out, "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">participants</text>", x(250), HEIGHT - 12.0).unwrap();
    for (points, colour, name) in [
        (complete, "#b3261e", "everyone is everyone's neighbour"),
        (neighbours, "#1b5e9b", "least number of neighbours"),
    ] {
        let path: Vec<String> = points.iter().map(|p| format!("{:.1},{:.1}", x(p.parties), y(p.bytes))).collect();
        writeln!(out, "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>", path.join(" "))
            .unwrap();
        for point in points {
            let (x, y) = (x(point.parties), y(point.bytes));
            writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>").unwrap();
        }
        let (last, before) = (points[points.len() - 1], points[points.len() - 2]);
        let above = colour == "#b3261e";
        writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"{colour}\">{name}: {:.0} kB at 500</text>",
            if above { x(before.parties) - 14.0 } else { x(500) },
            if above { y(before.bytes) - 6.0 } else { y(before.bytes) + 28.0 },
            last.bytes / 1e3
        )
        .unwrap();
    }
    out.push_str("</svg>\n");
    out
}
