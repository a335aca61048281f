//! `doctor`.

use hefu_conformance::case::{Corpus, Role};
use hefu_conformance::control::{Binding, Control, Request};
use hefu_conformance::target::TargetFile;
use hefu_conformance::world::{World, greet};
use hefu_conformance::{Error, Result, driver, run};
use serde_json::json;

use super::{Target, fresh_seed};

pub(super) async fn doctor(target: &Target) -> Result<u8> {
    let say = |line: String| if target.json { eprintln!("{line}") } else { println!("{line}") };
    let file = TargetFile::read(&target.target)?;
    let (profiles, roles) = (file.claims.profiles.join(", "), file.claims.roles.join(", "));
    say(format!("target file  {} {}, claims {profiles} as {roles}", file.target.name, file.target.version));
    let mut control = Binding::start(&file)?;
    let seed = fresh_seed()?;
    let adapter = greet(&mut control, &seed).await?;
    say(format!("adapter      {} answers, and refuses a verb that nobody knows", adapter.name));
    let world = World::prepare(&mut control, &seed, &file).await?;
    say(format!("set-up       datasets loaded, agreements installed; {} at {}", world.target.party, world.address));
    say(format!(
        "discovery    answers over mutual TLS in {} µs; a reply is waited for {} ms",
        world.round_trip.as_micros(),
        world.deadline.as_millis()
    ));
    let corpus = Corpus::embedded()?;
    let mut whole = true;
    let mut seen = serde_json::Map::new();
    for role in [Role::Collaborator, Role::Initiator].into_iter().filter(|role| file.plays(*role)) {
        let id = run::liveness(role);
        let case = corpus.case(id).ok_or_else(|| Error::Suite("the corpus has no liveness case".into()))?;
        let dialogue = match role {
            Role::Collaborator => driver::drive(&world, case, "main", None).await,
            Role::Initiator => driver::host::drive(&mut control, &world, case, "main", None).await,
        };
        let completed = dialogue.completed();
        whole &= completed;
        seen.insert(role.name().to_owned(), completed.into());
        say(match completed {
            true => format!("alignment    a whole one went through, the target as {}", role.name()),
            false => format!("alignment    none, the target as {}: run --case {id} says why", role.name()),
        });
    }
    let _ = control.call(Request::Stop).await;
    if target.json {
        let round_trip_us = world.round_trip.as_micros() as u64;
        println!(
            "{}",
            json!({ "party": world.target.party, "adapter": adapter.name, "alignment": seen,
                    "round_trip_us": round_trip_us })
        );
    }
    Ok(u8::from(!whole))
}
