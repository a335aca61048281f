//! `hefu bench align --unbalanced`: the first contact with a published set, and a second job of the same epoch.
use super::floor::cpu_time;
use super::tables::Table;
use super::{Bench, Cost, print};
use crate::cli::Screen;
use crate::demo::gather;
use crate::failure::Result;
use hefu::{Alignment, Code, Failure, JobPlan, Matches};
use hefu_crypto::{Blinder, Seed};
use serde_json::{Value, json};
use std::time::Instant;

/// What one job took.
struct Took {
    seconds: f64,
    rows_aligned: u64,
    cost: Cost,
}

/// Seconds of the group operations alone, on all cores: wall, and CPU of this process.
#[derive(Clone, Copy)]
struct Floor {
    seconds: f64,
    cpu_seconds: f64,
}

/// Matches `rows` keys against `against`, `overlap` of them common, twice.
pub(super) async fn align(rows: u64, against: u64, overlap: f64, screen: Screen) -> Result<()> {
    let common = ((rows as f64 * overlap).round() as u64).clamp(1, rows.min(against));
    let tables = [
        Table { first: 0, rows, columns: 1, label: false, seed: 1 },
        Table { first: rows - common, rows: against, columns: 1, label: false, seed: 2 },
    ];
    let mut run = Bench::start(&tables, screen).await?;
    let (first, second) = (job(&mut run).await?, job(&mut run).await?);
    run.stop().await;
    let (blind, set) = floors(&tables[0], &tables[1])?;
    let whole = Floor { seconds: blind.seconds + set.seconds, cpu_seconds: blind.cpu_seconds + set.cpu_seconds };
    let extra = json!({
        "rows_aligned": first.rows_aligned, "floor_cpu_seconds": whole.cpu_seconds,
        "first": member(&first, whole), "second": member(&second, blind),
    });
    print(screen, "s wall", first.seconds, whole.seconds, first.cost, extra);
    if !screen.json {
        println!(
            "{} {:.3} s wall, {} {:.3} s, CPU {:.3} s, {:.1} MB",
            screen.pick("second job of the epoch", "同一密钥期第二个作业"),
            second.seconds,
            screen.pick("floor", "下限"),
            blind.seconds,
            second.cost.cpu_seconds,
            second.cost.bytes as f64 / 1e6,
        );
    }
    Ok(())
}

async fn job(run: &mut Bench) -> Result<Took> {
    let mut plan = JobPlan::align("p0", run.collaborators());
    plan.alignment = Alignment::Oprf;
    let job = gather::run_job(&run.parties, &plan, &mut run.progress).await?;
    let matches: Matches = job.result().await?;
    let cost = run.cost(job.id(), "align").await?;
    Ok(Took { seconds: matches.seconds.align, rows_aligned: matches.rows_aligned, cost })
}

fn member(took: &Took, floor: Floor) -> Value {
    json!({
        "seconds": took.seconds, "floor": floor.seconds, "ratio": took.seconds / floor.seconds,
        "cpu_seconds": took.cost.cpu_seconds, "floor_cpu_seconds": floor.cpu_seconds, "bytes": took.cost.bytes,
    })
}

/// The floors of a job in an epoch, and of the set: hash, multiply, encode for each key of a side; decode, multiply,
/// encode twice for each key of the initiator. The faster of two runs each.
fn floors(own: &Table, peer: &Table) -> Result<(Floor, Floor)> {
    let keys = |table: &Table| (table.first..table.first + table.rows).map(|row| format!("E{row:09}"));
    let (own, peer): (Vec<String>, Vec<String>) = (keys(own).collect(), keys(peer).collect());
    let seed = Seed::new([7; 32]);
    let (first, second) = (Blinder::new(&seed.derive("first", &[])), Blinder::new(&seed.derive("second", &[])));
    let blind = || {
        let blinded = first.hash_and_blind(b"hefu/1 bench", &own).concat();
        let evaluated = second.blind(&blinded).map_err(|_| failed())?.concat();
        first.blind(&evaluated).map(drop).map_err(|_| failed())
    };
    let set = || {
        std::hint::black_box(second.hash_and_blind(b"hefu/1 bench", &peer));
        Ok(())
    };
    Ok((faster(&blind)?, faster(&set)?))
}

fn faster(work: &dyn Fn() -> Result<()>) -> Result<Floor> {
    let once = || -> Result<Floor> {
        let (start, cpu) = (Instant::now(), cpu_time(libc::CLOCK_PROCESS_CPUTIME_ID));
        work()?;
        let cpu_seconds = cpu_time(libc::CLOCK_PROCESS_CPUTIME_ID) - cpu;
        Ok::<Floor, hefu::Failure>(Floor { seconds: start.elapsed().as_secs_f64(), cpu_seconds })
    };
    let (first, second): (Floor, Floor) = (once()?, once()?);
    Ok(Floor { seconds: first.seconds.min(second.seconds), cpu_seconds: first.cpu_seconds.min(second.cpu_seconds) })
}

fn failed() -> Failure {
    Failure::because(Code::Internal, "A kernel of the floor refused its own data.")
}
