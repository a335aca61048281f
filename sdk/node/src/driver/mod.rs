//! Runs protocol machines: on a thread that may compute for long, with the network on the asynchronous side.
mod meter;

pub use meter::peak_rss_mib;
pub(crate) use meter::{StageCost, cpu_seconds};

use crate::channel::Port;
use hefu_core::{Fault, Progress, Rank, Stage};
use hefu_protocol::{Machine, Next};
use meter::Meter;
use std::time::Duration;
use tokio::runtime::Handle;

/// Where progress goes.
pub(crate) type Observer = Box<dyn Fn(Progress) + Send>;

/// One party's work on one session, stage after stage.
pub(crate) struct Driver {
    port: Port,
    runtime: Handle,
    observer: Observer,
    costs: Vec<StageCost>,
    stage: Stage,
}

impl Driver {
    pub(crate) fn new(port: Port, runtime: Handle, observer: Observer) -> Self {
        Driver { port, runtime, observer, costs: Vec::new(), stage: Stage::Align }
    }

    pub(crate) fn port(&self) -> &Port {
        &self.port
    }

    /// The stage at work, or the last one.
    pub(crate) fn stage(&self) -> Stage {
        self.stage
    }

    /// What each stage has cost so far.
    pub(crate) fn costs(&self) -> &[StageCost] {
        &self.costs
    }

    /// The fault that a peer has told already, if one has.
    pub(crate) fn told(&mut self) -> Option<Fault> {
        self.port.told()
    }

    /// Peers that have said themselves why the session is over.
    pub(crate) fn over(&mut self) -> Vec<Rank> {
        self.port.over()
    }

    /// Gives the port back.
    pub(crate) fn into_port(self) -> Port {
        self.port
    }

    /// Runs a machine to its end. Blocks: call it from a thread that may.
    ///
    /// # Errors
    /// What ends the machine or the session, with the responsible party.
    pub(crate) fn run<M: Machine>(&mut self, stage: Stage, machine: M) -> Result<M::Output, Fault> {
        self.stage = stage;
        let meter = Meter::start(stage);
        let output = self.steps(stage, machine);
        let traffic = self.port.traffic();
        let cost = meter.stop(traffic);
        match self.costs.last_mut() {
            // A stage of more than one machine is still one stage.
            Some(last) if last.stage == stage => last.add(&cost),
            _ => self.costs.push(cost),
        }
        // Frames of a stage may be relayed after this party has left it.
        self.costs.iter_mut().for_each(|cost| cost.count(traffic));
        output
    }

    fn steps<M: Machine>(&mut self, stage: Stage, mut machine: M) -> Result<M::Output, Fault> {
        let mut input = None;
        loop {
            self.port.check()?;
            let step = machine.step(input.take()).map_err(|e| self.port.blame(&e))?;
            for outgoing in &step.send {
                self.runtime.block_on(self.port.send(outgoing))?;
            }
            if let Some(progress) = step.progress {
                (self.observer)(progress);
            }
            match step.next {
                Next::Done(output) => return Ok(output),
                Next::Continue(next) => machine = next,
                Next::Await(next) => {
                    machine = next;
                    input = Some(self.runtime.block_on(self.port.receive(stage))?);
                }
            }
        }
    }
}

/// Seconds with a fraction.
pub(crate) fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e6
}
